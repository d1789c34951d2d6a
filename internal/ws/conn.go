package ws

import (
	"encoding/binary"
	"os"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// closeWait is how long a peer has for its part of the closing handshake.
const closeWait = 2 * time.Second

// A conn is one WebSocket connection: the handler of its socket, and the
// socket of its session. Its loop alone touches it.
type conn struct {
	server  *Server
	socket  *loop.Socket
	session *hub.Session // nil when the connection was refused
	reader  reader

	heard   time.Time // when the peer last sent anything
	pinged  time.Time // when it was pinged for that; zero if it was not
	drainAt time.Time // when it is sent away; zero while it may stay
	state   state
	deflate bool // frames to the client are compressed
}

// A state is how far a connection is on its way out.
type state uint8

const (
	open    state = iota
	closing       // our Close frame is sent; the peer's is awaited
	deaf          // closing, and nothing that the peer sends makes sense any more
	gone          // both have said goodbye
)

// open makes a conn of a socket, on its loop: the session begins, or the
// client is told why not.
func (s *Server) open(socket *loop.Socket, r hub.Request, deflate bool) *conn {
	c := &conn{server: s, socket: socket, heard: socket.Loop().Now(), deflate: deflate}
	if deflate {
		c.reader.inflation = newInflation(c.heard, s.cfg.MaxMessageSize)
	}
	session, refused := s.cfg.Hub.Connect(r, c, socket.Loop().Index())
	if refused != nil {
		c.Close(refused)
		return c
	}
	c.session = session
	c.schedule()
	return c
}

// Send implements hub.Socket.
func (c *conn) Send(f *frame.Frame) {
	if c.state != open {
		return
	}
	if c.deflate {
		f = f.Deflated()
	}
	c.socket.Send(f)
}

// Close implements hub.Socket: the error as an event, then as a Close frame.
func (c *conn) Close(why *protocol.Error) {
	if c.state != open {
		return
	}
	c.socket.Send(frame.Text(func(b []byte) []byte { return protocol.AppendError(b, why) }))
	c.shut(why.Code, why.Message, closing)
	c.end(hub.Ending{By: trace.ByService, Code: why.Code})
}

// shut sends a Close frame and waits for the peer's.
func (c *conn) shut(code protocol.CloseCode, reason string, next state) {
	c.server.metrics.close(code)
	c.socket.Send(frame.Control(opClose, closePayload(code, reason)))
	c.state = next
	c.socket.SetDeadline(c.socket.Loop().Now().Add(closeWait))
}

func (c *conn) end(how hub.Ending) {
	if c.session != nil {
		c.session.End(how)
	}
}

func closePayload(code protocol.CloseCode, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), protocol.CloseReason(reason)...)
}

// State implements hub.Watched.
func (c *conn) State() (waiting int, heard time.Time) { return c.socket.Waiting(), c.heard }

// Owner implements loop.Owned: the app of the client.
func (c *conn) Owner() string {
	if c.session == nil {
		return ""
	}
	return c.session.AppID()
}

// Input implements loop.Handler.
func (c *conn) Input(b []byte) {
	c.hear()
	if c.state == deaf || c.state == gone {
		return
	}
	limit := c.server.cfg.MaxMessageSize
	if c.reader.inflation != nil {
		c.reader.inflation.refill(c.heard, limit)
	}
	again, code := c.reader.read(b, limit, c)
	switch {
	case code == 0 && again:
		c.socket.Continue()
	case code == 0:
	case c.state == open:
		c.shut(code, reasons[code], deaf)
		c.end(hub.Ending{By: trace.ByService, Code: code})
	default:
		c.state = deaf
	}
}

// reasons are what a client is told beside a code that does not say it all.
var reasons = map[protocol.CloseCode]string{
	protocol.ClosePolicy: "compressed messages inflate to far more than was sent",
}

// hear notes that the peer lives.
func (c *conn) hear() {
	c.heard = c.socket.Loop().Now()
	if c.pinged.IsZero() {
		return // the deadline is moved when it comes, not with every message
	}
	c.pinged = time.Time{}
	if c.state == open {
		c.schedule()
	}
}

func (c *conn) reading() bool { return c.state == open || c.state == closing }

func (c *conn) onText(text []byte) {
	if c.state == open {
		c.session.Receive(c.socket.Loop().Now(), text)
	}
}

// onPing answers. Of pings that wait for their answers, the last gets one (RFC
// 6455, section 5.5.3).
func (c *conn) onPing(payload []byte) {
	if c.state == open {
		c.socket.Answer(frame.Control(opPong, payload))
	}
}

func (c *conn) onPong() {}

// onClose finishes a closing handshake, whoever began it.
func (c *conn) onClose(code protocol.CloseCode) {
	if c.state == closing {
		c.state = gone
		c.socket.Finish()
		return
	}
	c.server.metrics.close(protocol.CloseNormal)
	if code == 0 {
		c.socket.Send(frame.Control(opClose, nil))
	} else {
		c.socket.Send(frame.Control(opClose, closePayload(code, "")))
	}
	c.state = gone
	c.socket.SetDeadline(c.socket.Loop().Now().Add(closeWait))
	c.end(hub.Ending{By: trace.ByClient, Code: code})
	c.socket.Finish()
}

// schedule sets the socket's deadline to the first thing that time will bring.
func (c *conn) schedule() {
	at := c.heard.Add(c.session.ActivityTimeout())
	if !c.pinged.IsZero() {
		at = c.pinged.Add(c.server.cfg.PongTimeout)
	}
	c.socket.ExpireAtFirst(at, c.session.AuthorizeBy(), c.drainAt)
}

// Expired implements loop.Handler.
func (c *conn) Expired() {
	if c.state != open {
		c.socket.Drop(os.ErrDeadlineExceeded)
		return
	}
	now := c.socket.Loop().Now()
	if !c.drainAt.IsZero() && !now.Before(c.drainAt) {
		c.Close(protocol.ErrReconnect)
		return
	}
	c.session.CheckAuthorized(now)
	c.checkAlive(now)
	if c.state == open {
		c.schedule()
	}
}

// checkAlive pings a peer that has been silent, and gives up one that stays
// so. What we send is no sign of its life.
func (c *conn) checkAlive(now time.Time) {
	switch {
	case c.state != open:
	case !c.pinged.IsZero():
		if !now.Before(c.pinged.Add(c.server.cfg.PongTimeout)) {
			c.Close(protocol.ErrPongTimeout)
		}
	case !now.Before(c.heard.Add(c.session.ActivityTimeout())):
		c.pinged = now
		c.socket.Send(ping)
	}
}

var ping = frame.Control(opPing, nil)

// Overflow implements loop.Handler: a client that reads too slowly is asked to
// come back later, so that it cannot delay others or fill the memory. What it
// did not take is lost to it; it will know from the close code. One that is on
// its way out gets nothing more, so it may overflow with its goodbye.
func (c *conn) Overflow() {
	if c.state == open {
		// The session hears how it ended before its goodbye is sent.
		c.end(hub.Ending{By: trace.ByService, Code: protocol.CloseOverCapacity, Slow: true, Waiting: c.socket.Waiting()})
		c.socket.Discard()
		c.Close(protocol.ErrOverCapacity)
	}
}

// Drain implements loop.Handler.
func (c *conn) Drain(at time.Time) {
	if c.state == open {
		c.drainAt = at
		c.schedule()
	}
}

// Closed implements loop.Handler.
func (c *conn) Closed(err error) {
	why := loop.LossOf(err)
	if c.state == open {
		c.server.metrics.lose(why)
	}
	c.state = gone
	c.end(hub.Ending{By: trace.ByNetwork, Loss: losses[why], Slow: why == loop.TimedOut, Waiting: c.socket.Waiting()})
}
