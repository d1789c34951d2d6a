package fallback_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// A stream is a receive request whose answer is read line by line.
type stream struct {
	n      *node
	resp   *http.Response
	cancel context.CancelFunc
	lines  chan string // with the separators; closed at the end
	err    error       // how it ended; read after lines is closed
	peeked []string    // lines that were looked at
}

var errNoLine = errors.New("no line")

// open sends a receive request, and returns when the headers of the answer
// are there.
func (n *node) open(method, path string, headers ...string) *stream {
	n.t.Helper()
	r, cancel := n.request(path)
	r.Method = method
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := n.client.Do(r)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	s := &stream{n: n, resp: resp, cancel: cancel, lines: make(chan string, 1<<14)}
	go s.read()
	return s
}

// request is a receive request, and what aborts it.
func (n *node) request(path string) (*http.Request, context.CancelFunc) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "POST", n.base+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	n.t.Cleanup(cancel)
	return r, cancel
}

// stream opens an xhr_streaming request of a session.
func (n *node) stream(session string, extra ...string) *stream {
	n.t.Helper()
	return n.open("POST", session+"/xhr_streaming"+query+strings.Join(extra, ""))
}

func (s *stream) read() {
	defer close(s.lines)
	defer s.resp.Body.Close()
	var line []byte
	buf := make([]byte, 4096)
	for {
		k, err := s.resp.Body.Read(buf)
		for _, b := range buf[:k] {
			line = append(line, b)
			if b == '\n' {
				s.lines <- string(line)
				line = line[:0]
			}
		}
		if err != nil {
			if len(line) > 0 {
				s.lines <- string(line)
			}
			s.err = err
			return
		}
	}
}

// within returns the next line, with its separator, if it comes in time.
func (s *stream) within(d time.Duration) (string, error) {
	if len(s.peeked) > 0 {
		l := s.peeked[0]
		s.peeked = s.peeked[1:]
		return l, nil
	}
	select {
	case l, ok := <-s.lines:
		if !ok {
			return "", s.err
		}
		return l, nil
	case <-time.After(d):
		return "", errNoLine
	}
}

// more waits for the next line without taking it, and reports whether there is
// one.
func (s *stream) more() bool {
	l, err := s.within(time.Second)
	if err == nil {
		s.peeked = append(s.peeked, l)
	}
	return err == nil
}

// next returns the next line without its separator.
func (s *stream) next() string {
	s.n.t.Helper()
	l, err := s.within(time.Hour)
	if err != nil {
		s.n.t.Fatalf("next line: %v", err)
	}
	return strings.TrimSuffix(l, "\n")
}

// expect checks the next line.
func (s *stream) expect(want string) {
	s.n.t.Helper()
	if got := s.next(); got != want {
		s.n.t.Fatalf("line = %.200q, want %q", got, want)
	}
}

// silent checks that no line comes for some time, and that the stream lasts.
func (s *stream) silent(d time.Duration) {
	s.n.t.Helper()
	if l, err := s.within(d); !errors.Is(err, errNoLine) {
		s.n.t.Fatalf("within %v: %.200q, %v; want nothing", d, l, err)
	}
}

// ended checks that the answer ends, completely, without another line.
func (s *stream) ended() {
	s.n.t.Helper()
	if l, err := s.within(time.Minute); !errors.Is(err, io.EOF) {
		s.n.t.Fatalf("%.200q, %v; want the end", l, err)
	}
}
