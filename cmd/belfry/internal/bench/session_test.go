package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/protocol"
)

// loadNamed returns a load of that name.
func loadNamed(name string) Load {
	for _, l := range Loads() {
		if l.Name == name {
			return l
		}
	}
	panic("no load " + name)
}

// newTestFleet returns connections that are not connected to anything.
func newTestFleet(load string, s Settings) *fleet {
	e := &endpoint{addr: netip.MustParseAddrPort("127.0.0.1:1"), host: "h:1", key: "k", secret: "s", appID: "1"}
	f := newFleet(e, newPlan(loadNamed(load), s), newRecorder(newClock(), newGate(1000), 1))
	f.opened.Store(int64(len(f.sessions)))
	for _, s := range f.sessions {
		s.wire = &recordingWire{}
	}
	return f
}

// A recordingWire keeps what is sent.
type recordingWire struct{ sent bytes.Buffer }

func (w *recordingWire) send(b []byte) error { w.sent.Write(b); return nil }

func message(text []byte) []byte { return serverFrame(ws.OpText, true, text) }

// establish takes a session through its handshake up to its subscriptions.
func establish(t testing.TB, f *fleet, s *session) {
	t.Helper()
	in := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + f.accept + "\r\n\r\n")
	in = append(in, message(protocol.AppendConnectionEstablished(nil, protocol.NewSocketID(), 30*time.Second))...)
	for _, c := range s.channels {
		in = append(in, message(protocol.AppendSubscriptionSucceeded(nil, f.plan.names[c]))...)
	}
	if _, err := s.receive(in, f.rec.clock.now(), nil); err != nil {
		t.Fatal(err)
	}
	if s.phase != joined {
		t.Fatalf("phase = %d after all subscriptions, want %d", s.phase, joined)
	}
}

// Whatever is dropped, repeated or moved on the way, the accounts name it
// exactly.
func TestAccountsAreExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newTestFleet("many-channels", Settings{Connections: 3, Channels: 4, Subscriptions: 2, Inflight: 3, Payload: 80})
		l := newTally(f.plan)
		s := f.sessions[2] // on the channels 0 and 1
		establish(t, f, s)
		f.rec.measure(0, 1<<62)
		var lost, again, late, fresh uint64
		var stream []byte
		for range rapid.IntRange(0, 60).Draw(rt, "events") {
			channel, publisher := rapid.IntRange(0, 1).Draw(rt, "channel"), rapid.IntRange(0, 2).Draw(rt, "publisher")
			event := func() []byte {
				st := stamp{channel, publisher, l.next(channel, publisher), 5}
				return message(protocol.AppendEvent(nil, "e", f.plan.names[channel], st.appendLiteral(nil, 80), ""))
			}
			switch rapid.IntRange(0, 4).Draw(rt, "fate") {
			case 0:
				event()
				lost++
			case 1:
				b := event()
				stream = append(append(stream, b...), b...)
				again, fresh = again+1, fresh+1
			case 2:
				first, second := event(), event()
				stream = append(append(stream, second...), first...)
				late, fresh = late+1, fresh+2
			default:
				stream = append(stream, event()...)
				fresh++
			}
		}
		for len(stream) > 0 {
			n := rapid.IntRange(1, min(len(stream), 400)).Draw(rt, "cut")
			if _, err := s.receive(stream[:n], 7, nil); err != nil {
				rt.Fatal(err)
			}
			stream = stream[n:]
		}
		got, record := s.settle(l), f.rec.record()
		if want := (balance{expected: fresh + lost, lost: lost}); got != want {
			rt.Errorf("settle = %+v, want %+v", got, want)
		}
		if record.repeated != again || record.late != late || record.stray != 0 {
			rt.Errorf("repeated %d, out of order %d, stray %d, want %d, %d, 0", record.repeated, record.late, record.stray, again, late)
		}
		if record.latency.total != fresh || fresh > 0 && record.latency.high != 2 {
			rt.Errorf("%d latencies up to %d, want %d of 2", record.latency.total, record.latency.high, fresh)
		}
		if got := f.rec.delivered.Load(); got != int64(fresh+again) {
			rt.Errorf("delivered = %d, want %d", got, fresh+again)
		}
	})
}

func TestStrays(t *testing.T) {
	for name, st := range map[string]stamp{
		"of a channel that it is not on":  {1, 0, 1, 5},
		"of a publisher that is not ours": {0, 10, 1, 5},
		"of its own":                      {0, 0, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTestFleet("chat", Settings{Connections: 4, Channels: 2, Subscriptions: 1, Inflight: 1})
			s := f.sessions[0] // member 0 of channel 0
			establish(t, f, s)
			if _, err := s.receive(message(protocol.AppendEvent(nil, "client-e", "c", st.appendLiteral(nil, 0), "")), 7, nil); err != nil {
				t.Fatal(err)
			}
			if got := f.rec.record().stray; got != 1 {
				t.Errorf("strays = %d, want 1", got)
			}
		})
	}
}

// Members who leave carry no stamp, and are counted all the same.
func TestMembersAreCounted(t *testing.T) {
	f := newTestFleet("presence", Settings{Connections: 2, Channels: 1, Subscriptions: 1, Inflight: 1})
	l := newTally(f.plan)
	watcher, mover := f.sessions[0], f.sessions[1]
	establish(t, f, watcher)
	joins := 2 * f.plan.member(mover.id)
	added := func(n uint64) []byte {
		info := stamp{0, joins, n, 5}.appendObject(nil, 0)
		return message(protocol.AppendMemberAdded(nil, "presence-x", protocol.Member{UserID: userID(mover.id), UserInfo: info}))
	}
	removed := message(protocol.AppendMemberRemoved(nil, "presence-x", userID(mover.id)))
	in := added(0) // before the load
	for n := uint64(1); n <= 4; n++ {
		l.next(0, joins+1)
		if n != 3 { // one leave is lost
			in = append(in, removed...)
		}
		l.next(0, joins)
		in = append(in, added(n)...)
	}
	in = append(in, added(4)...) // one join comes twice
	if _, err := watcher.receive(in, 7, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := watcher.settle(l), (balance{expected: 8, lost: 1}); got != want {
		t.Errorf("settle = %+v, want %+v", got, want)
	}
	if got := f.rec.record().repeated; got != 1 {
		t.Errorf("repeated = %d, want 1", got)
	}
	if got := mover.settle(l); got != (balance{}) {
		t.Errorf("a member who comes and goes settles as %+v, want nothing", got)
	}
}

func TestSessionsThatEnd(t *testing.T) {
	hello := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + upgradeAccept() + "\r\n\r\n"
	refusal := message(protocol.AppendError(nil, protocol.ErrAppDisabled))
	goodbye := serverFrame(ws.OpClose, true, ws.NewCloseFrameBody(4100, "Over capacity"))
	for name, test := range map[string]struct{ in, want string }{
		"another status":     {"HTTP/1.1 404 Not Found\r\n\r\n", `the service answered "404 Not Found" instead of speaking WebSocket; is the address right?`},
		"not HTTP":           {strings.Repeat("x", maxAnswerHead+1), "the service does not answer with HTTP"},
		"a wrong accept":     {"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: no\r\n\r\n", "the service answered the WebSocket handshake with a wrong Sec-WebSocket-Accept"},
		"refused":            {hello + string(refusal), "refused by the service: Application disabled"},
		"closed with a code": {hello + string(goodbye), "closed by the service with 4100: Over capacity"},
		"closed without":     {hello + string(serverFrame(ws.OpClose, true, nil)), "closed by the service without a word"},
		"no message":         {hello + string(message([]byte("hello"))), `the service sent what is no message: "hello"`},
		"no socket id":       {hello + string(message([]byte(`{"event":"pusher:connection_established","data":"{}"}`))), "the service sent no socket id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTestFleet("idle", Settings{Connections: 1, Channels: 1, Subscriptions: 1})
			s := f.sessions[0]
			for i := range len(test.in) - 1 { // byte by byte, as a slow network has it
				if _, err := s.receive([]byte{test.in[i]}, 0, nil); err != nil {
					t.Fatalf("receive = %v after %d of %d bytes", err, i+1, len(test.in))
				}
			}
			_, err := s.receive([]byte{test.in[len(test.in)-1]}, 0, nil)
			if err == nil || err.Error() != test.want {
				t.Errorf("receive = %v, want %s", err, test.want)
			}
		})
	}
}

func TestSessionAnswersPings(t *testing.T) {
	f := newTestFleet("idle", Settings{Connections: 1, Channels: 1, Subscriptions: 1})
	s := f.sessions[0]
	establish(t, f, s)
	in := append(serverFrame(ws.OpPing, true, []byte("hi")), message([]byte(`{"event":"pusher:ping","data":"{}"}`))...)
	out, err := s.receive(in, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(out) > 0 {
		h, err := ws.ReadHeader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		payload := out[ws.HeaderSize(h):][:h.Length]
		out = out[ws.HeaderSize(h)+int(h.Length):]
		ws.Cipher(payload, h.Mask, 0)
		got = append(got, fmt.Sprintf("%d %s", h.OpCode, payload))
	}
	if want := []string{"10 hi", `1 {"event":"pusher:pong","data":{}}`}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answers = %q, want %q", got, want)
	}
}

// Whoever has heard nothing for the activity timeout pings, once in that time.
func TestKeepAlivePingsTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTestFleet("idle", Settings{Connections: 2, Channels: 1, Subscriptions: 1})
		for _, s := range f.sessions {
			establish(t, f, s) // which says 30 s
			s.heard.Store(1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		time.AfterFunc(20*time.Second, func() { f.sessions[1].heard.Store(f.rec.clock.now()) })
		f.keepAlive(ctx)
		for i, want := range []int{2, 1} {
			sent := &f.sessions[i].wire.(*recordingWire).sent
			frame := len(appendFrame(nil, opText, []byte(`{"event":"pusher:ping","data":{}}`)))
			if got := sent.Len() / frame; got != want {
				t.Errorf("connection %d sent %d pings in 65 s, want %d", i, got, want)
			}
		}
	})
}

func TestProblemsAreCountedByText(t *testing.T) {
	var p problems
	for i := range 3 * maxProblems {
		p.add("often")
		p.add(errors.New(fmt.Sprint("rare ", i)).Error())
	}
	list := p.list()
	if len(list) != maxProblems+1 || list[0] != (Problem{"often", 3 * maxProblems}) || list[1].Text != "and others" {
		t.Errorf("problems = %v, want the most frequent of %d first, and the others together", list, maxProblems)
	}
}
