package bundle_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
)

// What people have in their hands instead of a bundle.
func TestRecognition(t *testing.T) {
	t.Parallel()
	all := files(t)
	packed := pack(t, all)
	encoded := base64.StdEncoding.EncodeToString(packed)
	const expired = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>300</X-Amz-Expires><RequestId>secret</RequestId></Error>`
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                    {nil, "is empty"},
		"spaces":                     {[]byte(" \n"), "is empty"},
		"HTML page":                  {[]byte("\n<!DOCTYPE html><html><body>secret</body></html>"), "HTML page"},
		"HTML page in capitals":      {[]byte("<HTML><HEAD>secret"), "HTML page"},
		"XML of an expired link":     {[]byte(expired), "XML answer of the storage service (AccessDenied): download links live for five minutes"},
		"XML without a declaration":  {[]byte("<Error><Code>NoSuchKey</Code>"), "(NoSuchKey)"},
		"XML with an odd code":       {[]byte("<Error><Code>secret=1</Code>"), "XML answer"},
		"answer with the link":       {[]byte(`{"downloadURL":"https://secret"}`), "download what the link leads to"},
		"answers with links":         {[]byte(`[{"downloadURL":"https://secret"}]`), "JSON document"},
		"error of the DevOps API":    {[]byte(`{"errors":[{"description":"secret"}]}`), "JSON document"},
		"config.json":                {all["config.json"], "use the directory"},
		"PEM key":                    {all["key"], "use the directory"},
		"PEM certificate":            {all["ca.crt"], "use the directory"},
		"link":                       {[]byte("https://datastax-cluster-config-prod.s3.amazonaws.com/x.zip?X-Amz-Signature=secret"), "is a link"},
		"file name":                  {[]byte("./secure-connect-secret.zip\n"), "use Load"},
		"pointer of Git LFS":         {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:secret"), "git lfs pull"},
		"truncated download":         {packed[:len(packed)/2], "truncated or damaged zip"},
		"truncated by one byte":      {packed[:len(packed)-1], "truncated or damaged zip"},
		"first bytes of a download":  {packed[:4], "truncated or damaged zip"},
		"end of a download":          {packed[len(packed)/2:], "is not a zip"},
		"zip as text":                {[]byte(strings.ToValidUTF8(string(packed), "\ufffd")), "truncated or damaged zip"},
		"truncated base64":           {[]byte(encoded[:len(encoded)/2]), "truncated or damaged zip"},
		"base64 with odd characters": {[]byte(encoded[:100] + "!" + encoded[100:]), "damaged or truncated base64"},
		"other text":                 {[]byte("secret"), "is not a zip"},
		"other bytes":                {bytes.Repeat([]byte{0xaa}, 1000), "is not a zip, but 1000 bytes"},
		"token":                      {[]byte("AstraCS:secret:secret"), "is not a zip"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bundle.Parse(test.data)
			var e *bundle.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want an *Error with %q", err, test.want)
			}
			noSecrets(t, err.Error())

			file := filepath.Join(t.TempDir(), "bundle")
			write(t, file, test.data)
			if _, err := bundle.Load(file); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("Load: %v, want an error with %q and the file's name", err, test.want)
			}
		})
	}
}

func TestDirectoryWithTheZip(t *testing.T) {
	t.Parallel()
	dir := writeDir(t, map[string][]byte{"secure-connect-db.zip": pack(t, files(t))})
	if _, err := bundle.Load(dir); err == nil || !strings.Contains(err.Error(), `the directory holds "secure-connect-db.zip"`) {
		t.Error(err)
	}
}

func TestDirectoryWithTwoBundles(t *testing.T) {
	t.Parallel()
	all := files(t)
	if _, err := bundle.ParseFS(mapFS(with(prefixed("a/", all), prefixed("b/", all)))); err == nil || !strings.Contains(err.Error(), "several bundles") {
		t.Error(err)
	}
}
