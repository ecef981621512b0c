package bundle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// recognize returns an error for what people have in their hands instead of a zip, and nil for what might be one. No error quotes the data: it may
// be a key or a signed link.
func recognize(data []byte) error {
	text := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 512)]))
	starts := func(prefixes ...string) bool {
		for _, prefix := range prefixes {
			if bytes.HasPrefix(text, []byte(prefix)) {
				return true
			}
		}
		return false
	}
	switch {
	case len(text) == 0:
		return errors.New("is empty: download it again")
	case starts("pk"):
		return nil
	case starts("<!doctype html", "<html"):
		return errors.New("is an HTML page: the download needs a login, or its link has expired: download the bundle again")
	case starts("<?xml", "<error"):
		return fmt.Errorf("is an XML answer of the storage service%s: download links live for five minutes: get a new one", storageError(data))
	case starts("{") && bytes.Contains(data, []byte(`"downloadURL"`)):
		return errors.New("is the DevOps API's answer with the link to the bundle: download what the link leads to")
	case starts("{") && bytes.Contains(data, []byte(`"host"`)):
		return errors.New("is the config.json of an unzipped bundle: use the directory that it is in")
	case starts("{", "["):
		return errors.New("is a JSON document, perhaps an error of the DevOps API: download the bundle again")
	case starts("-----begin"):
		return errors.New("is a PEM file of an unzipped bundle: use the directory that it is in")
	case starts("https://", "http://"):
		return errors.New("is a link: download what it leads to and use that")
	case starts("version https://git-lfs"):
		return errors.New("is a pointer of Git LFS: run git lfs pull")
	case len(data) < 512 && bytes.HasSuffix(text, []byte(".zip")):
		return errors.New("is a file's name: use Load for a file")
	}
	return fmt.Errorf("is not a zip, but %d bytes of something else: download it again", len(data))
}

var storageCode = regexp.MustCompile(`<Code>([A-Za-z]{1,40})</Code>`)

func storageError(data []byte) string {
	if match := storageCode.FindSubmatch(data); match != nil {
		return " (" + string(match[1]) + ")"
	}
	return ""
}

// decodeBase64 returns what base64 text of a zip stands for, and other data as they are. The text may have line breaks, quotes around it, no
// padding, the alphabet for links, and the prefix of a data URL.
func decodeBase64(data []byte) ([]byte, error) {
	trimmed := bytes.Trim(data, "\"' \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("data:")) {
		if _, after, ok := bytes.Cut(trimmed[:min(len(trimmed), 256)], []byte(";base64,")); ok {
			trimmed = trimmed[len(trimmed[:min(len(trimmed), 256)])-len(after):]
		}
	}
	if !bytes.HasPrefix(trimmed, []byte("UEsDB")) { // "PK\x03", with which a zip begins
		return data, nil
	}
	text := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, string(trimmed))
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("is damaged or truncated base64 text of a zip: copy the whole text again: %w", err)}
	}
	return decoded, nil
}
