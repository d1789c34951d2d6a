//go:build !linux

package bench

import (
	"context"
	"errors"
	"time"
)

func (f floor) measure(context.Context) (time.Duration, error) {
	return 0, errors.New("bench: the floor can be measured on Linux only")
}
