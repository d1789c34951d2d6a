// Package datadir keeps short texts in the data directory that are made once:
// a token, a name, the credentials of the first app.
//
// The package takes no locks; processes that start at the same time agree by
// the file system.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Text returns the text that a file in dir keeps. If there is no such file yet
// it makes the directory and the file, which only their owner can read, with
// what first returns; made is then true. Of several processes that start at
// the same time, one makes it and all return it.
func Text(dir, file string, first func() string) (text string, made bool, err error) {
	name := filepath.Join(dir, file)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", false, unusable(dir, err)
		}
		if made, err = writeOnce(name, first()+"\n"); err != nil {
			return "", false, unusable(dir, err)
		}
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return "", false, unusable(dir, err)
	}
	if text = strings.TrimSpace(string(b)); text == "" {
		return "", false, fmt.Errorf("datadir: there is nothing in %s; remove the file to have it made", name)
	}
	return text, made, nil
}

// Make makes a directory, if there is none, and returns why nothing can be
// kept in it. That its disk is full is not said: what is there may be enough.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	f, err := os.CreateTemp(dir, "writable.*")
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	if err != nil {
		return unusable(dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// unusable says what is wrong with a data directory, and what to do.
func unusable(dir string, err error) error {
	var reason error = err
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		reason = e.Err
	}
	info, statErr := os.Stat(dir)
	switch {
	case statErr == nil && !info.IsDir():
		return fmt.Errorf("datadir: data_dir: %s is a file and not a directory; name another with --data-dir", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("datadir: data_dir: this user may not use %s: %w; give it to the user, or name another with --data-dir", dir, reason)
	}
	return fmt.Errorf("datadir: data_dir: %s can not be used: %w; name another with --data-dir", dir, err)
}

// Replace makes the directory and writes a file in it, which only its owner can
// read, in place of one that is there.
func Replace(dir, file, text string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = write(filepath.Join(dir, file), text, os.Rename)
	}
	if err != nil {
		return fmt.Errorf("datadir: %s can not be written: %w; name another data directory with --data-dir", filepath.Join(dir, file), err)
	}
	return nil
}

// writeOnce makes a file that only its owner may read, unless there is one of
// that name, and reports whether it did.
func writeOnce(name, text string) (made bool, err error) {
	err = write(name, text, func(temporary, name string) error {
		err := os.Link(temporary, name)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		return os.Rename(temporary, name) // some file systems have no links
	})
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// write makes a file that only its owner may read and gives it its name. The
// file is there whole and on disk, or not at all.
func write(name, text string, as func(temporary, name string) error) error {
	dir := filepath.Dir(name)
	temporary, err := os.CreateTemp(dir, filepath.Base(name)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := as(temporary.Name(), name); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
