package bundle_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// prefixed puts files into a folder of the zip.
func prefixed(prefix string, files map[string][]byte) map[string][]byte {
	moved := make(map[string][]byte)
	for name, data := range files {
		moved[prefix+name] = data
	}
	return moved
}

func mapFS(files map[string][]byte) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data, Mode: 0o600}
	}
	return fsys
}

func TestForms(t *testing.T) {
	t.Parallel()
	all := files(t)
	packed := must[[]byte](t)(scb.Zip(all))
	want := must[*bundle.Bundle](t)(bundle.Parse(packed))
	standard := base64.StdEncoding.EncodeToString(packed)
	lines := new(strings.Builder)
	for part := range slices.Chunk([]byte(standard), 76) {
		lines.Write(part)
		lines.WriteString("\r\n")
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o400); err != nil {
			t.Fatal(err)
		}
		return name
	}
	nested := t.TempDir()
	if err := os.CopyFS(filepath.Join(nested, "secure-connect-db"), mapFS(all)); err != nil {
		t.Fatal(err)
	}
	load := func(name string) func() (*bundle.Bundle, error) {
		return func() (*bundle.Bundle, error) { return bundle.Load(name) }
	}
	parse := func(data []byte) func() (*bundle.Bundle, error) {
		return func() (*bundle.Bundle, error) { return bundle.Parse(data) }
	}
	parseFS := func(fsys fs.FS) func() (*bundle.Bundle, error) {
		return func() (*bundle.Bundle, error) { return bundle.ParseFS(fsys) }
	}
	extra := with(all, map[string][]byte{"README.txt": []byte("hello"), "data/a:b.csv": []byte("1,2")})
	for name, get := range map[string]func() (*bundle.Bundle, error){
		"bytes":                           parse(packed),
		"zip with other files":            parse(pack(t, extra)),
		"zip with a name in another code": parse(pack(t, with(all, map[string][]byte{"donn\x82es\x00.txt": nil}))),
		"zip with a folder":               parse(pack(t, prefixed("secure-connect-db/", all))),
		"zip with ./":                     parse(pack(t, prefixed("./", all))),
		"zip with a folder of Windows":    parse(pack(t, prefixed(`secure-connect-db\`, all))),
		"zip as macOS makes it":           parse(pack(t, with(prefixed("db/", all), map[string][]byte{"__MACOSX/db/._config.json": {0}, "db/.DS_Store": {0}, "db/": {}}))),
		"zip without compression":         parse(pack(t, all)),
		"zip after other data":            parse(append([]byte("PK: "), packed...)),
		"base64":                          parse([]byte(standard)),
		"base64 in lines":                 parse([]byte(lines.String())),
		"base64 without padding":          parse([]byte(base64.RawStdEncoding.EncodeToString(packed))),
		"base64 for links":                parse([]byte(base64.URLEncoding.EncodeToString(packed))),
		"base64 in quotes":                parse([]byte(`"` + standard + "\"\n")),
		"base64 in a data URL":            parse([]byte("data:application/zip;base64," + standard)),
		"file":                            load(write("a.zip", packed)),
		"file of base64":                  load(write("a.b64", []byte(standard))),
		"file by a path with dots":        load(dir + "/../" + filepath.Base(dir) + "/./a.zip"),
		"directory":                       load(writeDir(t, all)),
		"directory with a folder":         load(nested),
		"file system":                     parseFS(mapFS(all)),
		"file system with a folder":       parseFS(mapFS(prefixed("creds/", all))),
		"file system with other files":    parseFS(mapFS(extra)),
		"file system that is a zip":       parseFS(must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(packed), int64(len(packed))))),
	} {
		t.Run(name, func(t *testing.T) {
			b := must[*bundle.Bundle](t)(get())
			if !b.Equal(want) {
				t.Error("other entries")
			}
			if err := b.Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
			if diff := cmp.Diff(all, unzip(t, b.Zip())); diff != "" && !strings.HasPrefix(name, "zip ") {
				t.Errorf("Zip: %s", diff)
			}
		})
	}
}

func TestZipGivesTheExactBytes(t *testing.T) {
	t.Parallel()
	packed := append(pack(t, files(t)), "data after the end"...)
	check := func(t *testing.T, data, want []byte) {
		b := must[*bundle.Bundle](t)(bundle.Parse(data))
		clear(data) // Parse keeps no reference
		if !bytes.Equal(b.Zip(), want) {
			t.Error("other bytes")
		}
		clear(b.Zip())
		if !bytes.Equal(b.Zip(), want) {
			t.Error("Zip gave its own bytes away")
		}
	}
	t.Run("bytes", func(t *testing.T) { check(t, bytes.Clone(packed), packed) })
	t.Run("base64", func(t *testing.T) { check(t, []byte(base64.StdEncoding.EncodeToString(packed)), packed) })
	t.Run("fixture", func(t *testing.T) { check(t, fixture(t), fixture(t)) })
}

func TestCQLSHRC(t *testing.T) {
	t.Parallel()
	all := files(t)
	for _, b := range []*bundle.Bundle{parse(t, all), must[*bundle.Bundle](t)(bundle.ParseFS(mapFS(all)))} {
		if got := b.CQLSHRC(); !bytes.Equal(got, all["cqlshrc"]) {
			t.Errorf("got %q", got)
		}
		b.CQLSHRC()[0] = 'x'
		if got := b.CQLSHRC(); !bytes.Equal(got, all["cqlshrc"]) {
			t.Error("CQLSHRC gave its own bytes away")
		}
	}
	if got := parse(t, with(all, map[string][]byte{"cqlshrc": nil})).CQLSHRC(); got != nil {
		t.Errorf("got %q from a bundle without", got)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	all := files(t)
	b := parse(t, all)
	if !b.Equal(must[*bundle.Bundle](t)(bundle.ParseFS(mapFS(all)))) {
		t.Error("unequal to one with the same entries")
	}
	if !cmp.Equal(b, parse(t, all)) {
		t.Error("go-cmp does not find Equal")
	}
	for name, other := range map[string]*bundle.Bundle{
		"nil":             nil,
		"zero":            new(bundle.Bundle),
		"without cqlshrc": parse(t, with(all, map[string][]byte{"cqlshrc": nil})),
		"other config":    parse(t, with(all, map[string][]byte{"config.json": config(t, map[string]any{"port": 1})})),
	} {
		if b.Equal(other) || other.Equal(b) {
			t.Errorf("equal to %s", name)
		}
	}
	var none *bundle.Bundle
	if !none.Equal(new(bundle.Bundle)) {
		t.Error("two bundles of nothing are unequal")
	}
}

func TestMissingEntries(t *testing.T) {
	t.Parallel()
	pem := map[string][]byte{"identity.jks": nil, "trustStore.jks": nil, "cert.pfx": nil, "cqlshrc": nil}
	for _, name := range []string{"config.json", "ca.crt", "cert", "key"} {
		some := with(with(files(t), pem), map[string][]byte{name: nil})
		for form, get := range map[string]func() (*bundle.Bundle, error){
			"zip":         func() (*bundle.Bundle, error) { return bundle.Parse(pack(t, some)) },
			"directory":   func() (*bundle.Bundle, error) { return bundle.Load(writeDir(t, some)) },
			"file system": func() (*bundle.Bundle, error) { return bundle.ParseFS(mapFS(some)) },
		} {
			t.Run(form+" without "+name, func(t *testing.T) {
				_, err := get()
				var e *bundle.Error
				if !errors.As(err, &e) || e.Entry != name || !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			})
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	_, err := bundle.Load(filepath.Join(t.TempDir(), "none.zip"))
	var path *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) {
		t.Errorf("no file: %v", err)
	}
	if _, err = bundle.Load(""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty name: %v", err)
	}
	if _, err = bundle.Load(os.DevNull); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
		t.Errorf("device: %v", err)
	}
	dir := writeDir(t, with(files(t), map[string][]byte{"cert": nil}))
	if err := os.Mkdir(filepath.Join(dir, "cert"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Load(dir); err == nil || !strings.Contains(err.Error(), "cert: is not a regular file") {
		t.Errorf("directory in place of cert: %v", err)
	}
	if _, err := bundle.Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

// To open a pipe that nobody writes to blocks for ever. Whether a file is regular must be asked before it is opened.
type pipes struct {
	fs.FS
	fs.StatFS // as that of os.DirFS
}

func (p pipes) Open(name string) (fs.File, error) {
	if path.Base(name) == "cert" {
		return nil, errors.New("the pipe was opened")
	}
	return p.FS.Open(name)
}

func TestPipeInTheDirectory(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"", "secure-connect-testdb/"} {
		fsys := mapFS(prefixed(folder, files(t)))
		fsys[folder+"cert"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o600}
		if _, err := bundle.ParseFS(pipes{fsys, fsys}); err == nil || !strings.Contains(err.Error(), "cert: is not a regular file") {
			t.Errorf("in %q: %v", folder, err)
		}
	}
}

// endless is a file system whose files never end.
type endless struct{ fs.FS }

type endlessFile struct{ fs.File }

func (e endless) Open(name string) (fs.File, error) {
	file, err := e.FS.Open(name)
	return endlessFile{file}, err
}

func (endlessFile) Read(p []byte) (int, error) { return len(p), nil }

func TestEndlessFiles(t *testing.T) {
	t.Parallel()
	if _, err := bundle.ParseFS(endless{mapFS(files(t))}); err == nil || !strings.Contains(err.Error(), "config.json: has more than 65536 bytes") {
		t.Error(err)
	}
	name := filepath.Join(t.TempDir(), "bundle.zip")
	write(t, name, make([]byte, 2<<20))
	if _, err := bundle.Load(name); err == nil || !strings.Contains(err.Error(), "has more than") {
		t.Error(err)
	}
}

func TestNothingIsWritten(t *testing.T) {
	dir := writeDir(t, map[string][]byte{"bundle.zip": pack(t, files(t))})
	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	b := must[*bundle.Bundle](t)(bundle.Load(filepath.Join(dir, "bundle.zip")))
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
	if list := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(list) != 1 { // root could have written
		t.Errorf("the directory has %v", list)
	}
}

// rawEntry is one whose header says what the test wants, whatever the data.
type rawEntry struct {
	zip.FileHeader
	data []byte
}

func rawZip(t testing.TB, files map[string][]byte, extra ...rawEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		must[io.Writer](t)(w.Create(name)).Write(files[name])
	}
	for _, entry := range extra {
		if entry.CompressedSize64 == 0 {
			entry.CompressedSize64 = uint64(len(entry.data))
		}
		must[io.Writer](t)(w.CreateRaw(&entry.FileHeader)).Write(entry.data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func storedEntry(name string, data []byte) rawEntry {
	return rawEntry{zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data), UncompressedSize64: uint64(len(data))}, data}
}

// deflatedZeros is what n zeros are compressed to.
func deflatedZeros(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	entry := must[io.Writer](t)(w.Create("zeros"))
	zeros := make([]byte, 1<<16)
	for ; n > 0; n -= len(zeros) {
		entry.Write(zeros)
	}
	w.Close()
	r := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len())))
	raw := must[io.Reader](t)(r.File[0].OpenRaw())
	return must[[]byte](t)(io.ReadAll(raw))
}

type trap struct {
	data []byte
	want string // in the error
}

func traps(t testing.TB) map[string]trap {
	all := files(t)
	withoutKey := with(all, map[string][]byte{"key": nil})
	key := storedEntry("key", all["key"])
	changed := func(change func(*rawEntry)) rawEntry {
		entry := key
		change(&entry)
		return entry
	}
	bomb := deflatedZeros(t, 1<<20)
	many := maps.Clone(all)
	for i := range 100 {
		many["data/"+strings.Repeat("x", i+1)] = nil
	}
	crowd := make(map[string][]byte)
	for i := range 2000 { // just below 1 MiB
		crowd[strconv.Itoa(i)] = nil
	}
	var large []rawEntry
	for i := range 20 {
		large = append(large, rawEntry{zip.FileHeader{Name: string(rune('a' + i)), Method: zip.Deflate, UncompressedSize64: 60_000}, bomb[:100]})
	}
	return map[string]trap{
		"entry twice":               {rawZip(t, all, key), "key: is there twice"},
		"entry twice, by slashes":   {rawZip(t, prefixed("a/", all), storedEntry(`a\key`, all["key"])), "key: is there twice"},
		"entry twice, by ./":        {rawZip(t, all, storedEntry("./key", all["key"])), "key: is there twice"},
		"unknown entry twice":       {rawZip(t, all, storedEntry("x", nil), storedEntry("x", nil)), "x: is there twice"},
		"..":                        {rawZip(t, all, storedEntry("../key", nil)), "unsafe name"},
		".. inside":                 {rawZip(t, all, storedEntry("a/../key", nil)), "unsafe name"},
		".. of Windows":             {rawZip(t, all, storedEntry(`..\key`, nil)), "unsafe name"},
		"absolute name":             {rawZip(t, all, storedEntry("/etc/passwd", nil)), "unsafe name"},
		"absolute name of Windows":  {rawZip(t, all, storedEntry(`C:\key`, nil)), "unsafe name"},
		"empty name":                {rawZip(t, all, storedEntry("", nil)), "unsafe name"},
		"encrypted":                 {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.Flags = 1 })), "is encrypted with a password"},
		"symbolic link":             {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.SetMode(fs.ModeSymlink | 0o777) })), "not a regular file"},
		"unknown compression":       {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.Method = 99 })), "key: cannot be unpacked"},
		"wrong checksum":            {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.CRC32++ })), "key: cannot be unpacked"},
		"smaller than it claims":    {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.UncompressedSize64++ })), "key: cannot be unpacked"},
		"larger than it claims":     {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.UncompressedSize64-- })), "key: cannot be unpacked"},
		"bomb that says so":         {rawZip(t, withoutKey, rawEntry{zip.FileHeader{Name: "key", Method: zip.Deflate, UncompressedSize64: 2 << 30}, bomb}), "claims to unpack to"},
		"bomb that lies":            {rawZip(t, withoutKey, rawEntry{zip.FileHeader{Name: "key", Method: zip.Deflate, UncompressedSize64: 100}, bomb}), "key: cannot be unpacked"},
		"bomb in an unknown entry":  {rawZip(t, all, rawEntry{zip.FileHeader{Name: "data", Method: zip.Deflate, UncompressedSize64: 2 << 30}, bomb}), "claims to unpack to"},
		"zip64 size":                {rawZip(t, withoutKey, rawEntry{zip.FileHeader{Name: "key", Method: zip.Deflate, UncompressedSize64: math.MaxInt64}, bomb}), "claims to unpack to"},
		"zip64 size that overflows": {rawZip(t, withoutKey, rawEntry{zip.FileHeader{Name: "key", UncompressedSize64: math.MaxUint64}, nil}), "claims to unpack to"},
		"zip64 compressed size":     {rawZip(t, withoutKey, changed(func(e *rawEntry) { e.CompressedSize64 = math.MaxInt64 })), "key: cannot be unpacked"},
		"many entries":              {pack(t, many), "more than 64"},
		"thousands of entries":      {pack(t, crowd), "more than 64"},
		"large together":            {rawZip(t, all, large...), "unpacks to more than"},
		"two bundles":               {pack(t, with(prefixed("a/", all), prefixed("b/", all))), `several bundles, in "a/" and "b/"`},
		"two folders deep":          {pack(t, prefixed("a/b/", all)), "config.json: is missing"},
		"no entries":                {pack(t, nil), "config.json: is missing"},
		"zip in a zip":              {pack(t, map[string][]byte{"secure-connect-db.zip": pack(t, all)}), "unpack that one"},
		"larger than a bundle":      {make([]byte, 2<<20), "2097152 bytes"},
		"larger after base64":       {[]byte(base64.StdEncoding.EncodeToString(append([]byte("PK\x03\x04"), make([]byte, 1<<20+100)...))), "bytes"},
	}
}

func TestTraps(t *testing.T) {
	t.Parallel()
	for name, trap := range traps(t) {
		t.Run(name, func(t *testing.T) {
			_, err := bundle.Parse(trap.data)
			var e *bundle.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), trap.want) {
				t.Errorf("%v, want an *Error with %q", err, trap.want)
			}
		})
	}
}

// It is not parallel, so that nothing else allocates.
func TestTrapsTakeLittleMemory(t *testing.T) {
	for name, trap := range traps(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bundle.Parse(trap.data)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}
