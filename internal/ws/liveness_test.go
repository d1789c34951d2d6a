package ws

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

func TestSilentClientIsPingedAndGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connect()
		p.expectAt(120*time.Second, pingFrame)
		p.expectError(protocol.ErrPongTimeout)
		p.expectAt(152*time.Second, "") // two seconds for its part of the closing handshake
		s.expectGone()
	})
}

func TestClientThatAnswersPingsStays(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connect()
		last := time.Duration(0)
		for range 20 {
			p.expectAt(last+120*time.Second, pingFrame)
			time.Sleep(10 * time.Second)
			p.send(sent(fin|opPong, ""))
			last = time.Since(p.begin)
		}
		p.expectNone()
	})
}

// The pong timeout may be the longer one: the next silence is counted from the
// answer all the same.
func TestPingComesInTimeAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{PongTimeout: 30 * time.Second}, loop.Config{}, func(a *apps.App) { a.ActivityTimeout = 10 * time.Second })
		p := s.connect()
		p.expectAt(10*time.Second, pingFrame)
		p.send(sent(fin|opPong, ""))
		p.expectAt(20*time.Second, pingFrame)
		p.send(sent(fin|opPong, ""))
		p.expectAt(30*time.Second, pingFrame)
		p.expectAt(60*time.Second, "text "+string(protocol.AppendError(nil, protocol.ErrPongTimeout)))
	})
}

// Whatever the client sends is a sign of its life.
func TestAnyInputIsActivity(t *testing.T) {
	whole := sent(fin|opText, `{"event":"pusher:ping"}`)
	for name, tt := range map[string]struct {
		in     []byte
		answer string
	}{
		"pusher:ping":        {whole, pongText},
		"pusher:pong":        {sent(fin|opText, `{"event":"pusher:pong"}`), ""},
		"invalid JSON":       {sent(fin|opText, "x"), "text " + string(protocol.AppendError(nil, protocol.ErrInvalidJSON))},
		"ping":               {sent(fin|opPing, "abc"), "a abc"},
		"pong":               {sent(fin|opPong, "abc"), ""},
		"part of a message":  {sent(opText, "x"), ""},
		"the rest of it":     {sent(opContinuation, "x"), ""},
		"the last of it all": {sent(fin, "x"), "text " + string(protocol.AppendError(nil, protocol.ErrInvalidJSON))},
	} {
		inBubble(t, func(t *testing.T, s *site) {
			p := s.connect()
			if tt.in[0]&0xf == opContinuation {
				p.send(sent(opText, "x"))
			}
			time.Sleep(119 * time.Second)
			p.send(tt.in)
			if tt.answer != "" {
				p.expect(tt.answer)
			}
			p.expectAt(239*time.Second, pingFrame) // not at 120
			time.Sleep(29 * time.Second)
			p.send(sent(fin|opPong, ""))
			p.expectAt(388*time.Second, pingFrame)
		})
		if t.Failed() {
			t.Fatalf("the above is of %s", name)
		}
	}
}

// What we send is no sign of the client's life.
func TestOutputIsNoActivity(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connect()
		p.subscribe("news")
		for i := range 300 {
			s.trigger("news", "")
			got := p.next()
			if got == pingFrame {
				if i < 119 || i > 121 {
					t.Errorf("a ping after %v, want 120s", time.Since(p.begin))
				}
				got = p.next()
			}
			if got == "text "+string(protocol.AppendError(nil, protocol.ErrPongTimeout)) {
				if i < 149 || i > 151 {
					t.Errorf("given up after %v, want 150s", time.Since(p.begin))
				}
				p.expect("close 4201 Pong reply not received")
				return
			}
			if got != event("news", "") {
				t.Fatalf("the peer got %s", got)
			}
			time.Sleep(time.Second)
		}
		t.Error("a client that sends nothing was not given up")
	})
}

// A client that pings, and pings, and reads nothing is worth few answers.
func TestPingsOfAClientThatDoesNotReadPinNoMemory(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.attachDeaf("key")
		const many = 50_000
		for i := range many {
			p.send(sent(fin|opPing, strconv.Itoa(i)))
		}
		synctest.Wait()
		go p.read()
		if got := p.next(); !strings.HasPrefix(got, "text ") {
			t.Errorf("the first frame is %q", got)
		}
		pongs := 0
		for last := ""; last != fmt.Sprint("a ", many-1); pongs++ {
			if last = p.next(); !strings.HasPrefix(last, "a ") {
				t.Fatalf("the peer got %q, want the answer to its last ping", last)
			}
		}
		if pongs > 100 {
			t.Errorf("%d answers have waited, want few and the last", pongs)
		}
	})
}

func TestPingIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connect()
		p.send(sent(fin|opPing, "abc"), sent(fin|opText, `{"event":"pusher:ping"}`), sent(fin|opPing, ""))
		p.expect("a abc", pongText, "a ")
		p.send(sent(opText, `{"event":`), sent(fin|opPing, "within"), sent(fin, `"pusher:ping"}`))
		p.expect("a within", pongText)
	})
}

func TestUnauthorizedConnectionIsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, loop.Config{}, func(a *apps.App) { a.AuthorizedRequired = true })
		p := s.connect()
		p.subscribe("news")
		p.expectAt(30*time.Second, "text "+string(protocol.AppendError(nil, protocol.ErrNotAuthorized)))
		p.expect("close 4009 Connection not authorized within timeout.")
		s.expectGone()
	})
}

func TestAuthorizationMayComeAfterAPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, loop.Config{}, func(a *apps.App) {
			a.AuthorizedRequired, a.ActivityTimeout = true, 10*time.Second
		})
		p := s.connect()
		for i := range 2 {
			p.expectAt(time.Duration(i+1)*10*time.Second, pingFrame)
			p.send(sent(fin|opPong, ""))
		}
		// Silent from 20 s on: a ping and the end of the time come together.
		for {
			got := p.next()
			if got == pingFrame {
				continue
			}
			if got != "text "+string(protocol.AppendError(nil, protocol.ErrNotAuthorized)) {
				t.Errorf("the peer got %s, want the end of its time", got)
			}
			break
		}
		if at := time.Since(p.begin); at < 30*time.Second || at > 31*time.Second {
			t.Errorf("closed after %v, want 30s", at)
		}
	})
}
