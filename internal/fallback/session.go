package fallback

import (
	"os"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A session is one connection: the handler of its socket, and the socket of
// its hub session. Its loop alone touches it, except where a field says
// otherwise.
type session struct {
	// Immutable; read by anyone.
	server    *Server
	id        sessionID
	transport transport

	// Set by the loop before opened is closed, and then immutable.
	socket *loop.Socket
	loop   *loop.Loop
	opened chan struct{}

	request  hub.Request  // what is known of the client until it is connected
	hub      *hub.Session // nil until it is connected, and when it was refused
	receiver *receiver    // nil while no request waits for frames
	order    order

	greeted  bool  // the client has the line that opens the session
	closing  *line // the line that ends it, once that is decided
	finished bool  // the client has that line
	ended    bool

	delivering bool // messages are handed over in this and the next turns

	pulse   line // what to send because of silence; no text: nothing
	echo    bool // the client asked for a sign of life
	answers bool // the client has shown that it answers heartbeats
	clock   clock
}

// open makes a session for its first receive request, on a loop.
func (s *session) open(socket *loop.Socket) {
	s.socket, s.loop = socket, socket.Loop()
	now := s.now()
	s.clock.heard, s.clock.wrote = now, now
	s.clock.receiveBy = now.Add(gap)
	s.server.metrics.open(s.transport)
	if s.id.sockJS() {
		s.clock.nameBy = now.Add(nameWait)
	} else {
		s.connect(s.request)
	}
	s.schedule()
	close(s.opened)
}

// connect begins the Pusher connection, or has the client told why not. The
// first message is queued before anything else can reach the session.
func (s *session) connect(r hub.Request) {
	s.request = hub.Request{}
	s.clock.nameBy = time.Time{}
	session, refused := s.server.cfg.Hub.Connect(r, s, s.loop.Index())
	if refused != nil {
		s.Close(refused)
		return
	}
	s.hub = session
}

func (s *session) now() time.Time { return s.loop.Now() }

// Send implements hub.Socket.
func (s *session) Send(f *frame.Frame) {
	if s.closing == nil && !s.ended {
		s.socket.Send(f)
	}
}

// Close implements hub.Socket. What was sent before goes out first; if no
// request waits for it, it is kept for the next.
func (s *session) Close(why *protocol.Error) {
	if s.closing != nil || s.ended {
		return
	}
	s.server.metrics.close(s.transport, why.Code)
	last := closeLine(why)
	s.closing = &last
	s.leave(hub.Ending{By: trace.ByService, Code: why.Code})
	s.socket.Wake()
	s.schedule()
}

// leave ends the Pusher connection.
func (s *session) leave(how hub.Ending) {
	if s.hub != nil {
		s.hub.End(how)
	}
}

// State implements hub.Watched.
func (s *session) State() (waiting int, heard time.Time) { return s.socket.Waiting(), s.clock.heard }

// Owner implements loop.Owned: the app of the client.
func (s *session) Owner() string {
	if s.hub == nil {
		return ""
	}
	return s.hub.AppID()
}

// Input implements loop.Handler, with one message of the client.
func (s *session) Input(message []byte) {
	switch {
	case s.closing != nil || s.ended:
	case s.hub == nil:
		s.named(message)
	default:
		s.hub.Receive(s.now(), message)
	}
}

// accept takes the messages that one request brought, and reports whether the
// session still takes any. Number is the request's, or 0.
func (s *session) accept(messages [][]byte, number uint64) bool {
	if s.closing != nil || s.ended {
		return false
	}
	s.heard()
	if len(messages) == 0 {
		s.answered()
	}
	s.order.add(number, messages, s.now())
	s.deliver()
	s.schedule()
	return true
}

// answered is called for an empty request, which answers a heartbeat or asks
// for a sign of life. With SockJS it only ever answers, and an answer to that
// would be answered too, without an end.
func (s *session) answered() {
	if s.id.sockJS() {
		s.answers = true
		return
	}
	s.echo = true
	s.socket.Wake()
}

// turnCost is how much of one client is handed over in one turn of the loop,
// and one message more.
const turnCost = 64 << 10

// deliver hands over what is in order, or a turn's worth of it, unless the
// client brings more than it is served.
func (s *session) deliver() {
	if s.delivering && s.order.owed <= maxEarlyCost {
		return // in the next turn
	}
	done := 0
	for m := range s.order.take() {
		s.socket.Receive(m)
		if done += messageCost + len(m); done >= turnCost && s.order.owed <= maxEarlyCost {
			break
		}
	}
	if len(s.order.ready) > 0 && !s.delivering {
		s.delivering = true
		s.loop.Post(func(int) {
			s.delivering = false
			s.deliver()
		}, 1)
	}
}

// Overflow implements loop.Handler: more waits than may, because the client
// reads too slowly or does not come for it.
func (s *session) Overflow() {
	if s.closing != nil {
		s.lose(os.ErrDeadlineExceeded)
		return
	}
	// The session hears how it ended before its goodbye is sent.
	s.leave(hub.Ending{By: trace.ByService, Code: protocol.CloseOverCapacity, Slow: true, Waiting: s.socket.Waiting()})
	s.socket.Discard()
	s.Close(protocol.ErrOverCapacity)
}

// Drain implements loop.Handler.
func (s *session) Drain(at time.Time) {
	s.clock.drainAt = at
	s.schedule()
}

// lose ends the session without another word. A request that comes for it
// later finds none, and makes a new one.
func (s *session) lose(err error) {
	if s.ended {
		return
	}
	s.ended = true
	s.server.table.remove(s)
	s.socket.Drop(err)
}

// Closed implements loop.Handler.
func (s *session) Closed(err error) {
	s.ended = true
	s.server.table.remove(s)
	s.detach()
	why := loop.LossOf(err)
	s.leave(hub.Ending{By: trace.ByNetwork, Loss: losses[why], Waiting: s.socket.Waiting()})
	s.server.metrics.end(s.transport)
	if s.closing == nil {
		s.server.metrics.lose(s.transport, why)
	}
}
