package ws

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// connectAsUser connects a peer and signs it in.
func (s *site) connectAsUser(id string) *peer {
	s.t.Helper()
	p := s.attach("key")
	established := p.next()
	_, rest, _ := strings.Cut(established, `\"socket_id\":\"`)
	socketID, _, _ := strings.Cut(rest, `\"`)
	parsed, ok := protocol.ParseSocketID(socketID)
	if !ok {
		s.t.Fatalf("no socket id in %s", established)
	}
	data := `{"id":"` + id + `"}`
	auth := "key:" + protocol.Sign("secret", protocol.UserText(parsed, data))
	p.text(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`, auth, data)
	p.expect("text " + string(protocol.AppendSigninSuccess(nil, data)))
	return p
}

// terminate closes the connections of a user.
func (s *site) terminate(id string) { s.hub.Terminate(s.app, id) }

const terminated = "close 4009 You got disconnected by the app."

func TestClientCloses(t *testing.T) {
	for name, tt := range map[string]struct {
		in   []byte
		want string
	}{
		"with a code":        {closeFrameOf(1000, "bye"), "close 1000 "},
		"with another code":  {closeFrameOf(4567, ""), "close 4567 "},
		"without a code":     {sent(fin|opClose, ""), "close"},
		"with something yet": {join(sent(fin|opText, `{"event":"pusher:ping"}`), closeFrameOf(1001, ""), sent(fin|opText, "x")), "close 1001 "},
	} {
		inBubble(t, func(t *testing.T, s *site) {
			p := s.connect()
			p.subscribe("news")
			p.send(tt.in)
			if strings.HasPrefix(name, "with something") {
				p.expect(pongText)
			}
			p.expectAt(0, tt.want)
			p.expectAt(0, "") // the server is the one to end TCP
			s.expectGone()
		})
	}
}

func TestClientClosesWithAnInvalidFrame(t *testing.T) {
	for name, tt := range map[string]struct {
		in   []byte
		want string
	}{
		"binary":           {sent(fin|opBinary, "x"), "close 1003 "},
		"no UTF-8":         {sent(fin|opText, "\xff"), "close 1007 "},
		"too big":          {form(fin|opText, 127, DefaultMaxMessageSize+1, ""), "close 1009 "},
		"not masked":       {[]byte{fin | opText, 1, 'x'}, "close 1002 "},
		"a bad close code": {closeFrameOf(1005, ""), "close 1002 "},
	} {
		inBubble(t, func(t *testing.T, s *site) {
			p := s.connect()
			p.subscribe("news")
			p.send(tt.in)
			p.expectAt(0, tt.want) // and no error event
			s.trigger("news", "late")
			for range 4 {
				p.send(sent(fin|opText, "x"), closeFrameOf(1000, "")) // makes no sense any more
			}
			p.expectAt(closeWait, "")
			s.expectGone()
		})
		if t.Failed() {
			t.Fatalf("the above is of %s", name)
		}
	}
}

func TestMessageSizeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxMessageSize: 20_000}, loop.Config{}, nil)
		p := s.connect()
		message := `{"event":"pusher:ping"` + strings.Repeat(" ", 20_000-23) + `}`
		p.text("%s", message)
		p.expect(pongText)
		p.send(sent(opText, message[:10_000]), sent(fin, message[10_000:]))
		p.expect(pongText)
		p.text("%s", message+" ")
		p.expect("close 1009 ")
		p = s.connect()
		p.send(sent(opText, message[:10_000]), sent(opContinuation, message[10_000:]), sent(fin, " "))
		p.expect("close 1009 ")
	})
}

func TestServerCloses(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connectAsUser("16")
		p.subscribe("news")
		s.terminate("16")
		p.expectError(protocol.ErrTerminated)
		s.expectGone()
		s.trigger("news", "late")
		p.text(`{"event":"pusher:ping"}`)
		p.send(sent(fin|opPing, "x"))
		p.expectNone() // nothing is answered any more
		p.send(closeFrameOf(4009, ""))
		p.expectAt(0, "")
	})
}

func TestServerDoesNotWaitLongForTheClientsClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connectAsUser("16")
		s.terminate("16")
		p.expectError(protocol.ErrTerminated)
		time.Sleep(time.Second)
		p.text("input does not make it longer")
		p.expectAt(closeWait, "")
	})
}

// The client may be in the middle of a frame or a message when the server
// closes: it ends that, and then says goodbye.
func TestServerClosesWithinAMessage(t *testing.T) {
	whole := sent(fin|opText, `{"event":"pusher:ping"}`)
	for name, tt := range map[string]struct{ before, after []byte }{
		"within a frame":            {whole[:10], whole[10:]},
		"within a header":           {whole[:1], whole[1:]},
		"within a fragmented one":   {sent(opText, "a"), sent(fin, "b")},
		"in the middle of that too": {join(sent(opText, "a"), sent(opContinuation, "b")[:7]), join(sent(opContinuation, "b")[7:], sent(fin, "c"))},
	} {
		inBubble(t, func(t *testing.T, s *site) {
			p := s.connectAsUser("16")
			p.send(tt.before)
			synctest.Wait()
			s.terminate("16")
			p.expectError(protocol.ErrTerminated)
			p.send(tt.after, closeFrameOf(4009, ""))
			p.expectAt(0, "") // not after closeWait
		})
		if t.Failed() {
			t.Fatalf("the above is of %s", name)
		}
	}
}

func TestClosingsCross(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connectAsUser("16")
		release := make(chan struct{})
		s.loops.Post(0, func(int) { <-release }, 1) // the loop hears of both at once
		s.terminate("16")
		go p.send(closeFrameOf(1000, ""))
		close(release)
		if got := p.next(); got != "close 1000 " { // or ours came first
			if got != "text "+string(protocol.AppendError(nil, protocol.ErrTerminated)) {
				t.Errorf("the peer got %s", got)
			}
			p.expect(terminated)
		}
		p.expectAt(0, "")
		s.expectGone()
	})
}

func TestClientIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		a, b := s.connect(), s.connect()
		a.subscribe("news")
		b.subscribe("news")
		a.conn.Close()
		s.trigger("news", "x")
		b.expect(event("news", "x"))
		synctest.Wait()
		if got := s.hub.Channel(s.app, "news").Subscriptions; got != 1 {
			t.Errorf("%d subscriptions, want that of the client that is there", got)
		}
	})
}

func TestRefusedConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		early := sent(fin|opText, `{"event":"pusher:ping"}`)
		p := s.attach("nope", early...)
		p.text(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
		p.send(sent(fin|opPing, "x"))
		p.expectError(protocol.UnknownApp("nope")) // and no answers
		p.expectNone()
		p.send(closeFrameOf(4001, ""))
		p.expectAt(0, "")
		p = s.attach(strings.Repeat("é", 300)) // an URL has it escaped, but whatever comes
		p.next()
		if got := p.next(); len(got) > len("close 4001 ")+protocol.MaxCloseReason || !strings.HasPrefix(got, "close 4001 App key éé") {
			t.Errorf("the Close frame is %q (%d), want a reason of at most 123 bytes", got, len(got))
		}
		p.expectAt(closeWait, "")
		s.expectGone()
	})
}

func TestEarlyBytesAreRead(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		whole := sent(fin|opText, `{"event":"pusher:ping"}`)
		p := s.attach("key", whole[:9]...)
		p.next()
		p.send(whole[9:])
		p.expect(pongText)
	})
}

func TestDrainClosesInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		a, b, c := s.connect(), s.connect(), s.connect()
		c.send(closeFrameOf(1000, ""))
		c.expect("close 1000 ", "")
		at := map[int]time.Duration{}
		s.loops.Each(func(socket *loop.Socket) {
			at[len(at)] = time.Duration(1+3*len(at)) * time.Second
			socket.Handler().Drain(time.Now().Add(at[len(at)-1]))
		})
		synctest.Wait()
		a.text(`{"event":"pusher:ping"}`) // still served, and no way to stay
		a.expect(pongText)
		a.expectAt(time.Second, "text "+string(protocol.AppendError(nil, protocol.ErrReconnect)))
		a.expect("close 4200 Please reconnect immediately")
		b.expectAt(4*time.Second, "text "+string(protocol.AppendError(nil, protocol.ErrReconnect)))
		s.expectGone()
	})
}

func TestDrainOfAPingedClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site) {
		p := s.connect()
		p.expectAt(120*time.Second, pingFrame)
		s.loops.Each(func(socket *loop.Socket) { socket.Handler().Drain(time.Now().Add(10 * time.Second)) })
		p.send(sent(fin|opPong, ""))
		p.expectAt(130*time.Second, "text "+string(protocol.AppendError(nil, protocol.ErrReconnect)))
	})
}

// A client that does not read is closed; the others do not wait for it.
func TestSlowClientDoesNotDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, loop.Config{SendBuffer: 100_000}, nil)
		quick, slow := s.connect(), s.attachDeaf("key")
		quick.subscribe("news")
		slow.readOne()
		slow.send(sent(fin|opText, `{"event":"pusher:subscribe","data":{"channel":"news"}}`))
		slow.readOne()
		data := strings.Repeat("x", 9_000)
		for range 20 {
			s.trigger("news", data)
			quick.expectAt(0, event("news", data))
		}
		synctest.Wait()
		if got := s.hub.Connections(); got != 1 {
			t.Errorf("Connections() = %d, want only the quick client's", got)
		}
	})
}

// Whatever fills the buffer of a slow client, it is told why it was closed when
// it reads again.
func TestSlowClientIsTold(t *testing.T) {
	for _, size := range []int{100, 700, 1000, 3000, 9900} {
		for _, limit := range []int{10_000, 100_000} {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{}, loop.Config{SendBuffer: limit}, func(a *apps.App) { a.Limits.EventData = 0 })
				p := s.attachDeaf("key")
				p.readOne()
				p.send(sent(fin|opText, `{"event":"pusher:subscribe","data":{"channel":"news"}}`))
				p.readOne()
				synctest.Wait() // nothing is pending
				for range 2*limit/size + 2 {
					s.trigger("news", strings.Repeat("x", size))
					synctest.Wait()
				}
				s.expectGone()
				go p.read()
				var last [2]string
				frames := 0
				for got := p.next(); got != ""; got = p.next() {
					last[0], last[1] = last[1], got
					frames++
				}
				if frames != 3 { // the event that was on its way; the others are not waited for
					t.Errorf("events of %d bytes, a buffer of %d: %d frames came, want 3", size, limit, frames)
				}
				want := [2]string{"text " + string(protocol.AppendError(nil, protocol.ErrOverCapacity)), "close 4100 Over capacity"}
				if last != want {
					t.Errorf("events of %d bytes, a buffer of %d: the last frames are %.100q, want %q", size, limit, last, want)
				}
			})
		}
	}
}

// readOne reads one frame by hand.
func (p *peer) readOne() {
	p.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(p.conn, head[:2]); err != nil {
		p.t.Fatal(err)
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(p.conn, head[2:]); err != nil {
			p.t.Fatal(err)
		}
		n = int(head[2])<<8 | int(head[3])
	}
	if _, err := io.CopyN(io.Discard, p.conn, int64(n)); err != nil {
		p.t.Fatal(err)
	}
}
