//go:build !linux

package http1

import (
	"errors"
	"fmt"
	"net"
)

// Listen is for systems whose loops poll descriptors.
func Listen(net.Listener, Config) (*Server, error) {
	return nil, fmt.Errorf("http1: polling descriptors: %w", errors.ErrUnsupported)
}

func silent(int) bool { return true }
