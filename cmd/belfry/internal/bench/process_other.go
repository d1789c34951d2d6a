//go:build !linux

package bench

import (
	"errors"
	"time"
)

func (p process) use() (use, error) {
	if p.pid == 0 {
		return use{}, nil
	}
	return use{}, errors.New("bench: what a process uses can be read on Linux only; leave --pid out")
}

func ownUse() time.Duration { return 0 }
