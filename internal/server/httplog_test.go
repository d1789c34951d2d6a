package server

import (
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A lineLog counts lines of a log.
type lineLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTLSHandshakesThatFailDoNotFloodTheLog(t *testing.T) {
	log := &lineLog{}
	n := start(t, withCertificate(t, Config{AdminListen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(log, nil))}, "127.0.0.1:0"))
	const many = 200
	for range many {
		c, err := net.Dial("tcp", n.TLSAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		c.Read(make([]byte, 100)) // until the server has had enough
		c.Close()
	}
	// Whoever is told of all of them has told of them by now.
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, metrics := get(t, "http://"+n.AdminAddr().String()+"/metrics")
		if strings.Contains(metrics, "belfry_tls_handshake_failures_total{listener=\"tls\"} 200\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not all handshakes are counted")
		}
	}
	lines := strings.Count(log.String(), `msg="TLS handshake failed"`)
	if lines < 1 || lines > 20 {
		t.Errorf("%d handshakes that failed make %d lines, want about 10:\n%.2000s", many, lines, log)
	}
	if !strings.Contains(log.String(), "listener=tls remote=127.0.0.1:") {
		t.Errorf("the log does not say where they come from:\n%.2000s", log)
	}
}
