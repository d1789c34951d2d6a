package relay

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswerComesAsItIsWritten(t *testing.T) {
	var next chan string
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.EscapedPath() != "/a%2Fb//c" || r.URL.RawQuery != "q=%20x&y" || r.Header.Get("Content-Type") != "text/plain" || len(r.Header) != 1 {
			t.Errorf("request %s %s %v", r.Method, r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "text/special")
		w.Header().Add("Vary", "One")
		w.Header().Add("Vary", "Two")
		w.WriteHeader(http.StatusAccepted)
		for text := range next {
			io.WriteString(w, text)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
		}
		io.WriteString(w, "end")
	}
	run(t, 3, nil, func(c *cluster) {
		c.handle = handler
		next = make(chan string)
		s := newSink()
		s.header.Set("Access-Control-Allow-Origin", "*")
		o := c.forward(c.t.Context(), s, "/a%2Fb//c?q=%20x&y")
		want := ""
		for _, text := range []string{"one", pattern(200 << 10), "two"} {
			next <- text
			want += text
			time.Sleep(time.Minute) // longer than any timeout
			if got := s.text(); got != want {
				t.Fatalf("%d bytes are flushed, want %d", len(got), len(want))
			}
		}
		close(next)
		o.wait(t, time.Second)
		if !o.answered || s.all() != want+"end" || s.status != http.StatusAccepted {
			t.Errorf("status %d, %d bytes, answered %t", s.status, len(s.all()), o.answered)
		}
		if s.header.Get("Content-Type") != "text/special" || len(s.header["Vary"]) != 2 || s.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("header %v", s.header)
		}
		c.atRest(time.Second)
	})
}

func TestBigBodies(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("body: %v", err)
		}
		w.Write(body)
	}
	for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, maxPiece + 1, window + 1, 3 << 20} {
		for _, known := range []bool{true, false} {
			run(t, 2, nil, func(c *cluster) {
				c.handle = echo
				length := int64(size)
				if !known {
					length = -1
				}
				s := newSink()
				o := c.forwardBody(c.t.Context(), s, "/", strings.NewReader(pattern(size)), length)
				o.wait(t, time.Minute)
				if !o.answered || s.status != 200 || s.all() != pattern(size) {
					t.Errorf("body of %d bytes: status %d with %d bytes", size, s.status, len(s.all()))
				}
				c.atRest(time.Second)
			})
		}
	}
}

// The client hears that its request is answered, although nothing else comes.
func TestHeadOfASilentAnswer(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
		ctx, cancel := context.WithCancel(c.t.Context())
		s := newSink()
		c.forward(ctx, s, "/")
		synctest.Wait()
		if s.heads() != 1 {
			t.Error("the head was not flushed")
		}
		cancel()
		c.atRest(time.Second)
	})
}

// A handler that does not want the body answers at once.
func TestAnswerBeforeTheBody(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		}
		s := newSink()
		o := c.forwardBody(c.t.Context(), s, "/", strings.NewReader(pattern(1<<20)), 1<<20)
		o.wait(t, time.Second)
		if s.status != 413 || s.all() != "too long\n" {
			t.Errorf("status %d %q", s.status, s.all())
		}
		c.atRest(time.Second)
	})
}

func TestMisdirectedRequestsAreNotAnswered(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not here", http.StatusMisdirectedRequest) }
		s := newSink()
		o := c.forward(c.t.Context(), s, "/")
		o.wait(t, time.Second)
		if o.answered || s.status != 0 || len(s.header) != 0 {
			t.Errorf("answered %t, status %d, %v; want nothing", o.answered, s.status, s.header)
		}
		c.atRest(time.Second)
	})
}

// ended is a handler that writes a beginning and waits for its context.
func ended(begin bool, seen chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if begin {
			io.WriteString(w, "begin")
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		_, err := io.WriteString(w, pattern(window+maxPiece))
		seen <- err
	}
}

func TestClientGoesAway(t *testing.T) {
	for _, begin := range []bool{true, false} {
		run(t, 2, nil, func(c *cluster) {
			seen := make(chan error, 1)
			c.handle = ended(begin, seen)
			ctx, cancel := context.WithCancel(c.t.Context())
			o := c.forward(ctx, newSink(), "/")
			synctest.Wait()
			cancel()
			o.wait(t, time.Second)
			c.atRest(time.Second) // without waiting for any lease
			if err := <-seen; err == nil {
				t.Error("the handler could still write")
			}
		})
	}
}

// TestSlowClient: what is on its way to a client that does not read is
// bounded, and the handler learns of it.
func TestSlowClient(t *testing.T) {
	var wrote chan int
	handler := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Second))
		n := 0
		var err error
		for text := pattern(1 << 10); err == nil; n++ {
			_, err = io.WriteString(w, text)
		}
		wrote <- n << 10
	}
	run(t, 2, nil, func(c *cluster) {
		c.handle = handler
		wrote = make(chan int, 1)
		s := newSink()
		s.stopReading()
		o := c.forward(c.t.Context(), s, "/")
		o.wait(t, time.Minute)
		c.atRest(time.Second)
		if n := <-wrote; n > 64<<10+3*pieceSize {
			t.Errorf("the handler could write %d bytes", n)
		}
	})
}

// A slow client holds up nobody else on the same link.
func TestSlowClientDelaysNobody(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, pattern(1<<20))
	}
	run(t, 2, nil, func(c *cluster) {
		c.handle = handler
		slow := newSink()
		slow.stopReading()
		first := c.forward(c.t.Context(), slow, "/")
		synctest.Wait()
		start := time.Now()
		s := newSink()
		c.forward(c.t.Context(), s, "/").wait(t, time.Second)
		if took := time.Since(start); took != 0 || s.all() != pattern(1<<20) {
			t.Errorf("%d bytes after %v", len(s.all()), took)
		}
		close(slow.stopped)
		first.wait(t, time.Second)
		if slow.all() != pattern(1<<20) {
			t.Errorf("the slow client got %d bytes", len(slow.all()))
		}
	})
}

func TestPeerDies(t *testing.T) {
	for _, begin := range []bool{true, false} {
		run(t, 2, nil, func(c *cluster) {
			seen := make(chan error, 1)
			c.handle = ended(begin, seen)
			s := newSink()
			o := c.forward(c.t.Context(), s, "/")
			time.Sleep(time.Minute) // silence of the handler is no death
			start := time.Now()
			c.cut(1)
			<-o.done
			if took := time.Since(start); took > lease+2*beat {
				t.Errorf("the answer was broken off after %v", took)
			}
			if begin && o.panicked != http.ErrAbortHandler || !begin && (o.panicked != nil || s.status != 503) {
				t.Errorf("panic %v, status %d", o.panicked, s.status)
			}
			<-seen
			c.atRest(lease)
		})
	}
}

func TestPeerThatPassesOnDies(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		seen := make(chan error, 1)
		c.handle = ended(true, seen)
		c.forward(c.t.Context(), newSink(), "/")
		time.Sleep(time.Minute)
		start := time.Now()
		c.cut(0)
		<-seen
		if took := time.Since(start); took > lease+2*beat {
			t.Errorf("the request was canceled after %v", took)
		}
	})
}

func TestPanicOfTheHandler(t *testing.T) {
	for _, begin := range []bool{true, false} {
		run(t, 2, nil, func(c *cluster) {
			c.handle = func(w http.ResponseWriter, r *http.Request) {
				if begin {
					io.WriteString(w, "begin")
					http.NewResponseController(w).Flush()
					time.Sleep(time.Second)
				}
				panic("a mistake")
			}
			s := newSink()
			o := c.forward(c.t.Context(), s, "/")
			o.wait(t, 2*time.Second)
			if begin && o.panicked != http.ErrAbortHandler || !begin && s.status != 503 {
				t.Errorf("panic %v, status %d", o.panicked, s.status)
			}
			c.atRest(time.Second)
		})
	}
}

func TestTooManyRequests(t *testing.T) {
	for name, limit := range map[string]func(c *cluster) *Config{
		"passed on": func(c *cluster) *Config { return &c.front().cfg },
		"answered":  func(c *cluster) *Config { return &c.back().cfg },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 2, nil, func(c *cluster) {
				seen := make(chan error, 2)
				c.handle = ended(true, seen)
				limit(c).MaxRequests = 2
				ctx, cancel := context.WithCancel(c.t.Context())
				for range 2 {
					c.forward(ctx, newSink(), "/")
				}
				synctest.Wait()
				s := newSink()
				c.forward(c.t.Context(), s, "/").wait(t, time.Second)
				if s.status != 503 {
					t.Errorf("status %d, want 503", s.status)
				}
				cancel()
				c.atRest(time.Second)
			})
		})
	}
}

func TestHeadIsTooLong(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", maxAnswerHead+1<<10))
		}
		s := newSink()
		c.forward(c.t.Context(), s, "/"+strings.Repeat("x", 70<<10)).wait(t, time.Second)
		if s.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status of a long path = %d, want 431", s.status)
		}
		s = newSink()
		c.forward(c.t.Context(), s, "/").wait(t, time.Second)
		if s.status != 503 {
			t.Errorf("status of a long answer = %d, want 503", s.status)
		}
		c.atRest(time.Second)
	})
}

func TestCloseEndsEverything(t *testing.T) {
	for i := range 2 {
		run(t, 2, nil, func(c *cluster) {
			seen := make(chan error, 1)
			c.handle = ended(true, seen)
			o := c.forward(c.t.Context(), newSink(), "/")
			synctest.Wait()
			start := time.Now()
			if err := c.relays[i].Close(context.Background()); err != nil {
				t.Error(err)
			}
			<-seen
			<-o.done
			if took := time.Since(start); took > time.Second || o.panicked != http.ErrAbortHandler {
				t.Errorf("after %v: %v", took, o.panicked)
			}
			s := newSink()
			c.forward(c.t.Context(), s, "/").wait(t, 2*lease)
			if s.status != 503 {
				t.Errorf("status after Close = %d, want 503", s.status)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		http.NewResponseController(w).Flush()
		<-w.(interface{ Leaving() <-chan struct{} }).Leaving()
		io.WriteString(w, "bye")
	}
	run(t, 2, nil, func(c *cluster) {
		c.handle = handler
		c.back().Drain(c.t.Context(), time.Hour) // has passed nothing on, so nothing is to wait for
		sinks := make([]*sink, 200)
		for i := range sinks {
			sinks[i] = newSink()
			c.forward(c.t.Context(), sinks[i], "/")
		}
		synctest.Wait()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			c.front().Drain(c.t.Context(), 10*time.Second)
		}()
		time.Sleep(5 * time.Second)
		gone := 0
		for _, s := range sinks {
			if s.all() == "beginbye" {
				gone++
			}
		}
		if gone < 60 || gone > 140 {
			t.Errorf("%d of %d have left after half of the time", gone, len(sinks))
		}
		late := newSink()
		c.forward(c.t.Context(), late, "/").wait(t, 3*time.Second)
		if late.all() != "beginbye" || late.header.Get("Connection") != "close" {
			t.Errorf("a late request is answered %q, %v", late.all(), late.header)
		}
		<-drained
		c.atRest(0)
	})
}
