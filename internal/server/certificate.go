package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how long a certificate is used before its files are
// looked at again.
const certificateCheck = time.Second

// A certificate is a pair of PEM files that is read again when they change, so
// that a renewal needs no restart. A bad new pair leaves the old one in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   stamp // of the files that were read last, good or bad
	checked time.Time
}

// A stamp tells whether files have changed.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, checked: time.Now()}
	var err error
	if c.stamp, err = c.stat(); err != nil {
		return nil, fmt.Errorf("server: TLS certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("server: TLS certificate %s: %w", certFile, err)
	}
	c.pair = &pair
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(time.Now()), nil
		},
	}
}

// current returns the certificate to use now.
func (c *certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < certificateCheck {
		return c.pair
	}
	c.checked = now
	st, err := c.stat()
	if err == nil && st == c.stamp {
		return c.pair
	}
	var pair tls.Certificate
	if err == nil {
		c.stamp = st
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		c.log.Warn("TLS certificate not reloaded; the old one stays in use", "file", c.certFile, "err", err)
		return c.pair
	}
	c.log.Info("TLS certificate reloaded", "file", c.certFile)
	c.pair = &pair
	return c.pair
}

func (c *certificate) stat() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}
