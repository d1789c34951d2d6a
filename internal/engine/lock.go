package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A lock keeps other processes out of a directory. It ends with the process,
// however that ends.
type lock struct{ file *os.File }

// errHeld is what lockFile returns when another process has the lock.
var errHeld = errors.New("held by another process")

// acquire makes dir if need be and locks it, or returns ErrInUse.
func acquire(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w %s", ErrInUse, dir)
		}
		return nil, fmt.Errorf("engine: lock %s: %w", dir, err)
	}
	return &lock{f}, nil
}

// release lets others in. The file stays: taking it away would let two others
// in at once.
func (l *lock) release() error { return l.file.Close() }
