package relay

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A loser loses frames that a relay sends over links.
type loser struct {
	mu   sync.Mutex
	seen int                   // since lose was set
	lose func(number int) bool // nil: it loses nothing
}

// on puts the loser between a relay and its connection, before Start.
func (l *loser) on(r *Relay) {
	publish := r.publish
	r.publish = func(subject string, data []byte) error {
		if strings.Contains(subject, ".streams.") && l.loses() {
			return nil
		}
		return publish(subject, data)
	}
}

func (l *loser) loses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen++
	return l.lose != nil && l.lose(l.seen)
}

// begin makes the loser count, and lose what the function says.
func (l *loser) begin(lose func(int) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.lose = 0, lose
}

func (l *loser) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// conversation is a handler that needs several frames in each direction: a
// body that takes more than a window, and then an answer in parts.
func conversation(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for i := range 4 {
		w.Write(body[i*len(body)/4 : (i+1)*len(body)/4])
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		time.Sleep(700 * time.Millisecond)
	}
}

const conversationSize = 150 << 10

// converse has a conversation over a way on which frames are lost, and returns
// whether its answer came as a whole. Otherwise it has to be broken off.
func (c *cluster) converse() bool {
	c.t.Helper()
	s := newSink()
	o := c.forwardBody(c.t.Context(), s, "/", strings.NewReader(pattern(conversationSize)), conversationSize)
	o.wait(c.t, 2*lease)
	text := s.all()
	switch {
	case o.panicked == http.ErrAbortHandler:
		if s.status != 200 || !strings.HasPrefix(pattern(conversationSize), text) {
			c.t.Errorf("%d bytes came that were not sent like that", len(text))
		}
		return false
	case o.panicked != nil:
		c.t.Errorf("panic: %v", o.panicked)
		return false
	case s.status == 503:
		return false
	}
	if s.status != 200 || text != pattern(conversationSize) {
		c.t.Errorf("an answer of status %d with %d bytes was not broken off", s.status, len(text))
	}
	return true
}

// TestLossBreaksOff loses each single frame of a conversation in turn. The
// answer is whole, or broken off; and both nodes forget the request soon, also
// when nothing else is said between them.
func TestLossBreaksOff(t *testing.T) {
	for _, other := range []bool{false, true} { // whether there is another stream, so that beats go on
		for from := range 2 {
			frames, whole := 1, 0
			for lost := 1; lost <= frames; lost++ {
				run(t, 2, nil, func(c *cluster) {
					c.handle = func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/other" {
							<-r.Context().Done()
							return
						}
						conversation(w, r)
					}
					if other {
						c.forward(c.t.Context(), newSink(), "/other")
						time.Sleep(time.Millisecond)
					}
					l := c.losers[from]
					l.begin(func(n int) bool { return n == lost })
					if c.converse() {
						whole++
					}
					if !other {
						c.atRest(lease + 2*beatEvery)
					} else {
						c.onlyOther(3 * beatEvery)
					}
					frames = max(frames, l.count())
				})
			}
			if frames < 8 || whole == frames {
				t.Errorf("%d of %d conversations were whole: nothing was lost", whole, frames)
			}
		}
	}
}

// onlyOther checks that one request is left at each node, which was not hurt.
func (c *cluster) onlyOther(within time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		a, s := c.front().asking.Load(), c.back().serving.Load()
		if a == 1 && s == 1 {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d passed on and %d answered after %v, want the other one alone", a, s, within)
		}
	}
}

// TestLossAtRandom loses frames of many conversations in both directions.
func TestLossAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, 2, nil, func(c *cluster) {
				c.handle = conversation
				random := rand.New(rand.NewPCG(seed, 0))
				var mu sync.Mutex
				for _, l := range c.losers {
					l.begin(func(int) bool {
						mu.Lock()
						defer mu.Unlock()
						return random.IntN(20) == 0
					})
				}
				results := make([]bool, 20)
				var all sync.WaitGroup
				for i := range results {
					all.Go(func() { results[i] = c.converse() })
				}
				all.Wait()
				for _, l := range c.losers {
					l.begin(nil)
				}
				c.atRest(lease + 2*beatEvery)
				if !c.converse() {
					t.Error("a conversation after the losses was broken off")
				}
				if slices.Index(results, false) < 0 {
					t.Error("nothing was lost")
				}
			})
		})
	}
}
