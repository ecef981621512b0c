package token

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	astrarcKey     = "ASTRA_DB_APPLICATION_TOKEN"
	defaultProfile = "default"
)

// Astrarc returns a source that reads the token of a profile from the Astra CLI's configuration file, at each call:
//
//	[default]
//	ASTRA_DB_APPLICATION_TOKEN=AstraCS:…
//
// An empty name stands for the file that the CLI would use: the one that the environment variable ASTRARC names, else
// $XDG_CONFIG_HOME/astra/.astrarc if it exists, else ~/.astrarc. An empty profile stands for the one that ASTRA_PROFILE
// names, else "default". A file, profile or token that does not exist is an error of which errors.Is(err, fs.ErrNotExist)
// holds; a file of more than 1 MiB, or one that repeats a profile, is an error.
//
// The profile's ASTRA_ENV (another environment than production) is ignored: set devops.Config.BaseURL.
func Astrarc(name, profile string) Source { return astrarc{name, profile} }

type astrarc struct{ name, profile string }

func (a astrarc) Current(ctx context.Context) (Token, error) {
	name, err := a.file()
	if err != nil {
		return Token{}, err
	}
	profile := cmp.Or(a.profile, os.Getenv("ASTRA_PROFILE"), defaultProfile)
	origin := "profile " + profile + " of " + name
	data, err := readFile(ctx, name)
	if err != nil {
		return from(origin, Token{}, err)
	}
	value, err := astrarcValue(data, profile)
	if err != nil {
		return from(origin, Token{}, err)
	}
	t, err := Parse(value)
	return from(origin, t, err)
}

// file returns the name of the file to read.
func (a astrarc) file() (string, error) {
	if name := cmp.Or(a.name, os.Getenv("ASTRARC")); name != "" {
		return name, nil
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		name := filepath.Join(dir, "astra", ".astrarc")
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", notExist("the Astra CLI's configuration file cannot be found: %v", err)
	}
	return filepath.Join(home, ".astrarc"), nil
}

// astrarcValue returns the token of a profile in the text of a configuration file. The whole file is checked.
func astrarcValue(data []byte, profile string) (string, error) {
	profiles := make(map[string]map[string]string)
	var current map[string]string
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, byteOrderMark)) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if name, ok := strings.CutPrefix(text, "["); ok {
			name, _, ok = strings.Cut(name, "]")
			name = strings.TrimSpace(name)
			if !ok || name == "" {
				return "", errorf("line %d: a profile's name stands in brackets, [name]", n)
			}
			if profiles[name] != nil {
				return "", errorf("line %d: the profile stands in the file twice; remove one", n)
			}
			current = make(map[string]string)
			profiles[name] = current
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		switch {
		case !ok:
			return "", errorf("line %d is neither a [profile] nor KEY=value", n)
		case current == nil:
			return "", errorf("line %d stands before the first [profile]", n)
		}
		key = strings.TrimSpace(key)
		if _, twice := current[key]; twice {
			return "", errorf("line %d: the key stands in the profile twice; remove one", n)
		}
		value, _, _ = strings.Cut(value, " #") // a comment behind the value
		current[key] = strings.TrimSpace(value)
	}
	switch p := profiles[profile]; {
	case p == nil:
		return "", notExist("there is no such profile in the file")
	case p[astrarcKey] == "":
		return "", notExist("the profile has no %s", astrarcKey)
	default:
		return p[astrarcKey], nil
	}
}
