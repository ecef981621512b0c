package token

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

// File returns a source that reads the token from a file: the JSON or the CSV file that Astra's portal downloads, or the
// bare token string ("AstraCS:…"), told apart by their content. It may have up to 1 MiB.
//
// The file is read at each call, so a rotated token is seen at once, whether the file was written again, renamed over, or,
// as Kubernetes does with a mounted secret, a symbolic link on the way to it was swapped. Only a regular file can be read
// again; pipes and devices are errors, at once. A file that does not exist is an error of which
// errors.Is(err, fs.ErrNotExist) holds.
//
// Write token files whole (to another name, then rename): a reader that comes between sees half a token, which is an error.
func File(name string) Source { return file(name) }

type file string

func (f file) Current(ctx context.Context) (Token, error) {
	data, err := readFile(ctx, string(f))
	if err != nil {
		return from("file "+string(f), Token{}, err)
	}
	t, err := parseFile(data)
	return from("file "+string(f), t, err)
}

// parseFile tells the forms of a token file apart.
func parseFile(data []byte) (Token, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, byteOrderMark))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case len(text) == 0:
		return Token{}, errorf("the file is empty")
	case text[0] == '{':
		return ParseJSON(data)
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")): // as PowerShell writes
		return Token{}, errorf("the file is UTF-16 text; save it as UTF-8")
	case bytes.ContainsRune(first, ',') && hasCSVName(first):
		return ParseCSV(data)
	case len(text) > maxValueSize:
		return Token{}, errorf("the file has %d bytes and is neither the JSON nor the CSV of a token", len(text))
	}
	return Parse(string(text))
}

// hasCSVName reports whether a line has one of the column names that the portal's CSV has at least.
func hasCSVName(line []byte) bool {
	line = bytes.ToLower(line)
	return bytes.Contains(line, []byte("token")) || bytes.Contains(line, []byte("secret"))
}

// readFile reads a regular file of no more than maxFileSize bytes.
func readFile(ctx context.Context, name string) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	// Asked before the file is opened: to open a pipe that nobody writes to would block for ever.
	info, err := os.Stat(name)
	if err != nil {
		return nil, withoutName(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errorf("this is not a regular file (%v), so it cannot be read again when the token changes", info.Mode().Type())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, withoutName(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, withoutName(err)
	}
	if len(data) > maxFileSize {
		return nil, errorf("the file has more than %d bytes; this is not a token file", maxFileSize)
	}
	return data, nil
}

// withoutName drops the file's name from an error of package os: the origin says it.
func withoutName(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return &problem{what: fmt.Sprintf("cannot %s: %v", p.Op, p.Err), err: err}
	}
	return err
}
