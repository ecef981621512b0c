package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const (
	maxZip     = 1 << 20 // of the zip, and of what its entries claim to unpack to together
	maxEntry   = 64 << 10
	maxEntries = 64
)

// entries are the known entries that there are, by name. Those of a zip are unpacked when they are read: connecting needs half of them.
type entries map[string]func() ([]byte, error)

// read returns an entry's content, which the caller must not change. The error is an *Error.
func (e entries) read(name string) ([]byte, error) {
	read, ok := e[name]
	if !ok {
		return nil, &Error{Entry: name, Err: missing{}}
	}
	data, err := read()
	if err != nil {
		return nil, &Error{Entry: name, Err: err}
	}
	return data, nil
}

func (e entries) has(name string) bool { return e[name] != nil }

// add adds an entry that is in memory.
func (e entries) add(name string, data []byte) {
	e[name] = func() ([]byte, error) { return data, nil }
}

// zipEntries finds the known entries of a zip, which must not change any more.
func zipEntries(data []byte) (entries, error) {
	if len(data) > maxZip {
		return nil, tooLarge(len(data))
	}
	if err := recognize(data); err != nil {
		return nil, &Error{Err: err}
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // checkFile says more about those
		return nil, &Error{Err: fmt.Errorf("is a truncated or damaged zip of %d bytes (a bundle has about 12,000): download it again: %w", len(data), err)}
	}
	if len(r.File) > maxEntries {
		return nil, &Error{Err: fmt.Errorf("holds %d entries, more than %d: it is no bundle", len(r.File), maxEntries)}
	}
	files := make(map[string]*zip.File, len(r.File))
	var total uint64
	for _, file := range r.File {
		name, err := checkFile(file)
		if err != nil {
			return nil, &Error{Entry: printable(file.Name), Err: err}
		}
		if files[name] != nil {
			return nil, &Error{Entry: printable(name), Err: errors.New("is there twice: download the bundle again")}
		}
		files[name] = file
		if total += file.UncompressedSize64; total > maxZip { // each is at most maxEntry
			return nil, &Error{Err: fmt.Errorf("unpacks to more than %d bytes: it is no bundle", maxZip)}
		}
	}
	folder, err := findFolder(files)
	if err != nil {
		return nil, err
	}
	found := make(entries, len(entryNames))
	for _, name := range entryNames {
		if file := files[folder+name]; file != nil {
			if !file.Mode().IsRegular() {
				return nil, &Error{Entry: name, Err: errors.New("is not a regular file: download the bundle again")}
			}
			found[name] = func() ([]byte, error) { return unpack(file) }
		}
	}
	return found, nil
}

// checkFile refuses what no bundle has and tricks are made of. It returns the name with slashes and without a "./" before it.
func checkFile(file *zip.File) (string, error) {
	name := strings.ToValidUTF8(file.Name, "_")
	name = strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "./")
	switch {
	case !fs.ValidPath(strings.TrimSuffix(name, "/")), len(name) > 1 && name[1] == ':':
		return "", errors.New("has an unsafe name in the zip: it is no bundle")
	case file.Flags&1 != 0:
		return "", errors.New("is encrypted with a password, which bundles never are: download the bundle again")
	case file.UncompressedSize64 > maxEntry:
		return "", fmt.Errorf("claims to unpack to %d bytes, more than %d: it is no bundle", file.UncompressedSize64, maxEntry)
	}
	return name, nil
}

// findFolder returns the folder of config.json with a slash after it: none, else the only one that has it.
func findFolder(files map[string]*zip.File) (string, error) {
	if files[entryConfig] != nil {
		return "", nil
	}
	var folders []string
	for name := range files {
		if path.Base(name) == entryConfig && strings.Count(name, "/") == 1 {
			folders = append(folders, strings.TrimSuffix(name, entryConfig))
		}
	}
	slices.Sort(folders)
	switch len(folders) {
	case 1:
		return folders[0], nil
	case 0:
		return "", &Error{Entry: entryConfig, Err: missing{hintWithoutConfig(files)}}
	default:
		return "", &Error{Err: fmt.Errorf("holds several bundles, in %s and %s: take one of them", quote(folders[0]), quote(folders[1]))}
	}
}

func hintWithoutConfig(files map[string]*zip.File) string {
	for name := range files {
		if strings.HasSuffix(strings.ToLower(name), ".zip") {
			return "the zip holds another, " + quote(name) + ": unpack that one and use it"
		}
	}
	return "this is no Secure Connect Bundle, or only a part of one: download the bundle again"
}

// unpack reads at most maxEntry bytes, whatever the zip claims.
func unpack(file *zip.File) ([]byte, error) {
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	defer r.Close()
	data, err := readLimited(r, maxEntry)
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	return data, nil
}

// readLimited reads all of r, which is an error where it is more than limit bytes.
func readLimited(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, tooLong(limit)
	}
	return data, nil
}

// fsEntries reads the known entries of a file system now, since what is in it may change later.
func fsEntries(fsys fs.FS) (entries, error) {
	folder := "."
	if _, err := fs.Stat(fsys, entryConfig); errors.Is(err, fs.ErrNotExist) {
		if folder, err = subFolder(fsys); err != nil {
			return nil, err
		}
	}
	found := make(entries, len(entryNames))
	for _, name := range entryNames {
		data, err := readFile(fsys, path.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &Error{Entry: name, Err: err}
		}
		found.add(name, data)
	}
	return found, nil
}

// subFolder returns the only folder of fsys that has a config.json.
func subFolder(fsys fs.FS) (string, error) {
	list, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return "", &Error{Err: err}
	}
	var folders []string
	hint := ""
	for i, entry := range list {
		if i == maxEntries {
			break // no bundle's folder
		}
		name := entry.Name()
		if strings.HasSuffix(strings.ToLower(name), ".zip") {
			hint = "the directory holds " + quote(name) + ": is that the bundle?"
		}
		if _, err := fs.Stat(fsys, path.Join(name, entryConfig)); err == nil {
			folders = append(folders, name)
		}
	}
	switch len(folders) {
	case 1:
		return folders[0], nil
	case 0:
		return "", &Error{Entry: entryConfig, Err: missing{hint}}
	default:
		return "", &Error{Err: fmt.Errorf("holds several bundles, in %s and %s: take one of them", quote(folders[0]), quote(folders[1]))}
	}
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	// Asked before the file is opened: to open a pipe that nobody writes to would block for ever.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readLimited(file, maxEntry)
}

func tooLong(limit int) error { return fmt.Errorf("has more than %d bytes", limit) }

func tooLarge(size int) error {
	return &Error{Err: fmt.Errorf("has %d bytes or more, at least 80 times a bundle's size: it is something else", size)}
}

// printable makes a name from outside fit for an error.
func printable(name string) string {
	quoted := quote(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}
