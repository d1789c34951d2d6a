package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenFile is the name of a file in the data directory.
const TokenFile = "admin-token"

// Token returns the token that the data directory keeps. If there is none yet
// it makes the directory and a token, which only their owner can read; made is
// then true. Of several processes that start at the same time, one makes it
// and all return it.
func Token(dir string) (token string, made bool, err error) {
	name := filepath.Join(dir, TokenFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", false, fmt.Errorf("admin: the data directory can not be made: %w; name another with --data-dir", err)
		}
		if made, err = writeOnce(name, rand.Text()+rand.Text()+"\n"); err != nil {
			return "", false, fmt.Errorf("admin: the token can not be kept: %w; name another data directory with --data-dir", err)
		}
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return "", false, fmt.Errorf("admin: the token can not be read: %w", err)
	}
	if token = strings.TrimSpace(string(text)); token == "" {
		return "", false, fmt.Errorf("admin: there is no token in %s; remove the file to have one made", name)
	}
	return token, made, nil
}

// writeOnce makes a file that only its owner may read, unless there is one of
// that name, and reports whether it did. The file is there whole and on disk,
// or not at all.
func writeOnce(name, text string) (made bool, err error) {
	dir := filepath.Dir(name)
	temporary, err := os.CreateTemp(dir, filepath.Base(name)+".*") // made with mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return false, err
	}
	switch err := os.Link(temporary.Name(), name); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil: // some file systems have no links
		if err := os.Rename(temporary.Name(), name); err != nil {
			return false, err
		}
	}
	return true, syncDir(dir)
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
