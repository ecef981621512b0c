package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Load reads a bundle from a file, which is a zip or base64 text of one, or from a directory with a bundle's files, in it or in the only folder of it
// that has them. What is wrong with the content is told as by [Parse]; where the file cannot be read, the error is that of package os. Named pipes and
// devices are refused.
//
// Load checks what connecting needs; [Bundle.Verify] checks the rest.
func Load(name string) (*Bundle, error) {
	read, err := readSnapshot(name)
	if err != nil {
		return nil, err
	}
	return read.parse()
}

// Parse reads a bundle from a zip, or from base64 text of one: what is kept in environment variables. The entries may be in one folder of the zip.
// Parse keeps no reference to data. The error is an [*Error], or several joined where several entries could have served and none does.
func Parse(data []byte) (*Bundle, error) {
	if len(data) > maxZip*3/2 { // base64 makes four bytes of three, and has line breaks
		return nil, tooLarge(len(data))
	}
	decoded, err := decodeBase64(data)
	if err != nil {
		return nil, err
	}
	return parseZip(bytes.Clone(decoded))
}

// ParseFS reads a bundle's files from a file system such as an [embed.FS], from its root or from the only folder of the root that has them. It reads
// all of them at once and keeps no reference to fsys. A zip in a file system is for [fs.ReadFile] and [Parse].
func ParseFS(fsys fs.FS) (*Bundle, error) {
	found, err := fsEntries(fsys)
	if err != nil {
		return nil, err
	}
	return newBundle(found, nil)
}

func parseZip(data []byte) (*Bundle, error) {
	found, err := zipEntries(data)
	if err != nil {
		return nil, err
	}
	return newBundle(found, data)
}

// snapshot is what a file or a directory held when it was read.
type snapshot struct {
	name    string
	zip     []byte  // of a file
	entries entries // of a directory
}

func readSnapshot(name string) (*snapshot, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	s := &snapshot{name: name}
	switch {
	case info.IsDir():
		s.entries, err = fsEntries(os.DirFS(name))
	case !info.Mode().IsRegular():
		err = &Error{Err: errors.New("is neither a file nor a directory: read it yourself and use Parse")}
	default:
		s.zip, err = readZipFile(name)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return s, nil
}

func readZipFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := readLimited(file, maxZip*3/2)
	if err != nil {
		return nil, &Error{Err: err}
	}
	return data, nil
}

func (s *snapshot) parse() (*Bundle, error) {
	var b *Bundle
	var err error
	if s.entries != nil {
		b, err = newBundle(s.entries, nil)
	} else {
		b, err = Parse(s.zip)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return b, nil
}

func (s *snapshot) wrap(err error) error { return fmt.Errorf("load %s: %w", s.name, err) }

// sum tells contents apart.
func (s *snapshot) sum() [sha256.Size]byte {
	if s.entries == nil {
		return sha256.Sum256(s.zip)
	}
	h := sha256.New()
	for _, name := range entryNames {
		if s.entries.has(name) {
			data, _ := s.entries.read(name) // in memory
			h.Write([]byte(name))
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(data))))
			h.Write(data)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
