package ws

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// A site is a server with a hub and a loop, in one bubble of fake time.
type site struct {
	t      *testing.T
	app    *apps.App
	hub    *hub.Hub
	loops  *loop.Group
	server *Server

	compressing bool // peers that are attached from now on have negotiated it
}

// newSite starts a site whose app has an activity timeout of 120 seconds. It
// ends with the test.
func newSite(t *testing.T, cfg Config, loops loop.Config, change func(*apps.App)) *site {
	t.Helper()
	app := &apps.App{
		ID: "1", Keys: []apps.Key{{Key: "key", Secret: "secret"}}, ClientEvents: true,
		ActivityTimeout: 120 * time.Second, AuthorizationTimeout: 30 * time.Second, Limits: apps.DefaultLimits(),
	}
	if change != nil {
		change(app)
	}
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	loops.Loops, loops.Portable = 1, true
	s := &site{t: t, app: app, loops: loop.NewGroup(loops)}
	s.hub = hub.New(hub.Config{Apps: registry, Loops: s.loops})
	cfg.Hub, cfg.Loops = s.hub, s.loops
	s.server = New(cfg)
	t.Cleanup(func() {
		if err := s.loops.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		s.hub.Close()
	})
	return s
}

// inBubble runs a test on a site in fake time.
func inBubble(t *testing.T, test func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) { test(t, newSite(t, Config{}, loop.Config{}, nil)) })
}

// A peer is the client's end of a connection.
type peer struct {
	t      *testing.T
	conn   net.Conn
	begin  time.Time
	frames chan string // what came, see shown; closed at the end of the connection
}

// attach connects a peer that reads whatever comes.
func (s *site) attach(key string, early ...byte) *peer {
	p := s.attachDeaf(key, early...)
	go p.read()
	return p
}

// attachDeaf connects a peer that reads nothing yet.
func (s *site) attachDeaf(key string, early ...byte) *peer {
	client, server := net.Pipe()
	p := &peer{t: s.t, conn: client, begin: time.Now(), frames: make(chan string, 10_000)}
	r := hub.Request{Path: "/app/" + key, Query: url.Values{"protocol": {"7"}}}
	s.loops.Attach(server, early, func(socket *loop.Socket) loop.Handler { return s.server.open(socket, r, s.compressing) })
	s.t.Cleanup(func() { client.Close() })
	return p
}

// connect connects a peer, and takes the first frame off.
func (s *site) connect() *peer {
	s.t.Helper()
	p := s.attach("key")
	if got := p.next(); !strings.HasPrefix(got, `text {"event":"pusher:connection_established"`) {
		s.t.Fatalf("the first frame is %s", got)
	}
	return p
}

// read is the goroutine that reads frames, until the connection ends.
func (p *peer) read() {
	defer close(p.frames)
	for {
		f, err := readFrame(p.conn)
		if err != nil {
			if err != io.EOF && err != io.ErrClosedPipe {
				p.frames <- "error " + err.Error()
			}
			return
		}
		p.frames <- shown(f)
	}
}

// readFrame reads one frame of the server.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// shown is a frame as tests see it.
func shown(f ws.Frame) string {
	switch {
	case f.Header.Masked || !f.Header.Fin:
		return fmt.Sprintf("a frame that no server sends: %+v", f.Header)
	case f.Header.OpCode == ws.OpText:
		return "text " + string(f.Payload)
	case f.Header.OpCode == ws.OpClose && len(f.Payload) >= 2:
		return fmt.Sprintf("close %d %s", binary.BigEndian.Uint16(f.Payload), f.Payload[2:])
	case f.Header.OpCode == ws.OpClose:
		return "close"
	}
	return fmt.Sprintf("%x %s", f.Header.OpCode, f.Payload)
}

// next waits for the next frame, or for the end, which is "".
func (p *peer) next() string { return <-p.frames }

// expect waits for those frames.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, want := range want {
		if got := p.next(); got != want {
			p.t.Errorf("the peer got %q, want %q", got, want)
		}
	}
}

// expectNone complains of frames that have come and of an end.
func (p *peer) expectNone() {
	p.t.Helper()
	synctest.Wait()
	select {
	case got, ok := <-p.frames:
		p.t.Errorf("the peer got %q (open: %t), want nothing", got, ok)
	default:
	}
}

// expectAt waits for a frame and complains if it does not come at that time
// after the beginning of the connection. A loop's deadlines are exact to one
// tick of its wheel.
func (p *peer) expectAt(at time.Duration, want string) {
	p.t.Helper()
	p.expect(want)
	if got := time.Since(p.begin); got < at || got > at+200*time.Millisecond {
		p.t.Errorf("%q came after %v, want %v", want, got, at)
	}
}

// expectError waits for an error event and the Close frame of the same code.
func (p *peer) expectError(e *protocol.Error) {
	p.t.Helper()
	p.expect("text "+string(protocol.AppendError(nil, e)), fmt.Sprintf("close %d %s", e.Code, e.Message))
}

// expectEnd waits for the end of the connection.
func (p *peer) expectEnd() {
	p.t.Helper()
	p.expect("")
}

// send sends bytes.
func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	if _, err := p.conn.Write(bytes.Join(frames, nil)); err != nil {
		p.t.Errorf("the peer can not send: %v", err)
	}
}

// text sends a text message.
func (p *peer) text(format string, args ...any) {
	p.t.Helper()
	p.send(sent(fin|opText, fmt.Sprintf(format, args...)))
}

func (p *peer) subscribe(channel string) {
	p.t.Helper()
	p.text(`{"event":"pusher:subscribe","data":{"channel":%q}}`, channel)
	p.expect(`text {"event":"pusher_internal:subscription_succeeded","channel":"` + channel + `","data":"{}"}`)
}

// trigger triggers an event as a backend.
func (s *site) trigger(channel, data string) {
	s.t.Helper()
	e := hub.Event{Name: "e", Data: []byte(`"` + data + `"`)}
	if _, err := s.hub.Trigger(context.Background(), s.app, []string{channel}, e, protocol.SocketID{}); err != nil {
		s.t.Error(err)
	}
}

// event is the frame of a triggered event.
func event(channel, data string) string {
	return `text {"event":"e","channel":"` + channel + `","data":"` + data + `"}`
}

const (
	pingFrame = "9 "
	pongText  = `text {"event":"pusher:pong","data":"{}"}`
)

// expectGone complains of sessions that are left.
func (s *site) expectGone() {
	s.t.Helper()
	synctest.Wait()
	if got := s.hub.Connections(); got != 0 {
		s.t.Errorf("Connections() = %d, want 0", got)
	}
}
