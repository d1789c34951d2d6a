// Package certificate reads certificates from files, and reads them again when
// the files change, so that a renewal needs no restart.
//
// A bad new file leaves what was read before in use, and the log says so once.
// Who is connected stays connected.
//
// A [File] has one lock of its own and calls nobody while it holds it, but the
// log.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// check is how long what was read is used before the files are looked at
// again.
const check = time.Second

// A File is what one or more files hold. It is safe for concurrent use.
type File[T any] struct {
	names []string
	read  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	held    T
	stamps  []stamp // of the files that were read last, good or bad
	checked time.Time
}

// A stamp tells whether a file has changed.
type stamp struct {
	modified time.Time
	size     int64
}

// Pair is a certificate with its chain and its private key, in PEM form.
func Pair(certFile, keyFile string, log *slog.Logger) (*File[*tls.Certificate], error) {
	return load(log, func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		return &pair, err
	}, certFile, keyFile)
}

// Pool is the certificates of authorities, in PEM form.
func Pool(file string, log *slog.Logger) (*File[*x509.CertPool], error) {
	return load(log, func() (*x509.CertPool, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("no certificate in %s", file)
		}
		return pool, nil
	}, file)
}

func load[T any](log *slog.Logger, read func() (T, error), names ...string) (*File[T], error) {
	f := &File[T]{names: names, read: read, log: log, checked: time.Now()}
	var err error
	if f.stamps, err = f.look(); err != nil {
		return nil, err
	}
	if f.held, err = read(); err != nil {
		return nil, fmt.Errorf("%s: %w", names[0], err)
	}
	return f, nil
}

// Current is what the files hold.
func (f *File[T]) Current() T { return f.at(time.Now()) }

// at is what is used at a time.
func (f *File[T]) at(now time.Time) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.checked) < check {
		return f.held
	}
	f.checked = now
	stamps, err := f.look()
	if err == nil && slices.Equal(stamps, f.stamps) {
		return f.held
	}
	var next T
	if err == nil {
		f.stamps = stamps
		next, err = f.read()
	}
	if err != nil {
		f.log.Warn("TLS certificate not reloaded; the old one stays in use", "file", f.names[0], "err", err)
		return f.held
	}
	f.log.Info("TLS certificate reloaded", "file", f.names[0])
	f.held = next
	return f.held
}

// look returns the stamps of the files.
func (f *File[T]) look() ([]stamp, error) {
	var stamps []stamp
	for _, name := range f.names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		stamps = append(stamps, stamp{info.ModTime(), info.Size()})
	}
	return stamps, nil
}
