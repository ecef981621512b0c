package bundle

import "io/fs"

// Error says what is wrong with a bundle and where.
//
// errors.Is(err, [fs.ErrNotExist]) holds where the entry is missing.
type Error struct {
	Entry string // such as "config.json"; empty where the bundle as a whole is meant
	Err   error
}

func (e *Error) Error() string {
	if e.Entry == "" {
		return "bundle: " + e.Err.Error()
	}
	return "bundle: " + e.Entry + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// missing is the error of an entry that is not there. Its text can say where it might be.
type missing struct{ hint string }

func (e missing) Error() string {
	if e.hint == "" {
		return "is missing: download the bundle again"
	}
	return "is missing: " + e.hint
}

func (missing) Is(target error) bool { return target == fs.ErrNotExist }
