package accept

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestUnfinishedHeadersAreBoundedTogether(t *testing.T) {
	s := newSite(t, Config{}, func(h *httptest.Server) {
		h.Config.MaxHeaderBytes = 2 * maxHeaders
		h.Start()
	})
	short := s.dial("GET / HTTP/1.1\r\nA: " + strings.Repeat("a", freeHeader/2))
	s.until(1)
	const half = maxHeaders/2 + freeHeader
	first := s.dial("GET / HTTP/1.1\r\nA: " + strings.Repeat("a", half))
	s.counts(half - freeHeader)
	second := s.dial("GET / HTTP/1.1\r\nA: ")
	go func() { _, _ = io.WriteString(second, strings.Repeat("a", half)) }()
	ended(t, first)
	s.until(2)
	if _, err := io.WriteString(short, "\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if r, err := http.ReadResponse(bufio.NewReader(short), nil); err != nil {
		t.Errorf("a client with a short header: %v", err)
	} else {
		r.Body.Close()
	}
}

// net/http keeps a header as long as the body is not there, also of a request
// that was answered at once.
func TestHeadersOfUnfinishedBodiesAreBoundedWithThem(t *testing.T) {
	for name, path := range map[string]string{"somebody waits for the body": "/hold", "nobody reads it": "/"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{}, func(h *httptest.Server) {
				h.Config.MaxHeaderBytes = 2 * maxHeaders
				h.Start()
			})
			const half = maxHeaders/2 + freeHeader
			head := "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nA: " + strings.Repeat("a", half) + "\r\n\r\n"
			first := s.dial(head + "ab")
			s.counts(half - freeHeader)
			if path == "/" { // with its body the first one is idle
				if _, err := io.WriteString(first, "cd"); err != nil {
					t.Fatal(err)
				}
				answers(t, first)
				first = s.dial(head)
				s.counts(half - freeHeader)
			}
			s.dial(head)
			ended(t, first)
			s.until(map[string]int{"/hold": 1, "/": 2}[path])
		})
	}
}

// Compressed headers count as what they are in memory, and a connection whose
// other requests are complete is no exception.
func TestHeadersOfUnfinishedBodiesOfHTTP2AreBoundedToo(t *testing.T) {
	s := newSite(t, Config{}, func(h *httptest.Server) {
		h.EnableHTTP2 = true
		h.Config.MaxHeaderBytes = 2 * maxHeaders
		h.StartTLS()
	})
	post := func(c *http.Client, size int) chan error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/hold", nil)
		if err != nil {
			t.Fatal(err)
		}
		in, out := io.Pipe()
		t.Cleanup(func() { out.Close() })
		if r.Body = in; size == 0 {
			r.Body = nil
		}
		r.Header.Set("A", strings.Repeat("a", size))
		done := make(chan error, 1)
		go func() {
			resp, err := c.Do(r)
			if err == nil {
				resp.Body.Close()
			}
			done <- err
		}()
		return done
	}
	const half = maxHeaders/2 + freeHeader
	first := s.Client()
	complete := post(first, 0)
	<-s.inside
	waiting := post(first, half)
	s.counts(half - freeHeader)
	other := &http.Client{Transport: s.Client().Transport.(*http.Transport).Clone()}
	defer other.CloseIdleConnections()
	post(other, half)
	if err := <-waiting; err == nil {
		t.Error("the first request was answered, want its connection closed")
	}
	<-complete
}

// counts waits until that many bytes of headers are counted.
func (s *site) counts(least int) {
	s.t.Helper()
	for end := time.Now().Add(wait); ; time.Sleep(time.Millisecond) {
		s.pending.mu.Lock()
		n := s.pending.headers
		s.pending.mu.Unlock()
		if n >= least {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d bytes of headers are counted, want %d", n, least)
		}
	}
}
