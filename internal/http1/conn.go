package http1

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/loop"
)

const (
	// maxBody is how much of a body is waited for on a loop. Longer ones are
	// served there if they are all there with the head.
	maxBody = 16 << 10
	// lineEnds is how many bytes of line ends may stand behind a body.
	lineEnds = 4
	// turnRequests is how many requests of one connection are answered in one
	// turn, so that whoever sends many at once does not delay the others.
	turnRequests = 32
	// maxWaiting is how much may wait for a client that takes no answers before
	// its requests are not read.
	maxWaiting = 64 << 10
)

// A conn is one connection on a loop, until a handler takes it over or net/http
// does. It is the handler of its socket. Its loop alone touches it, but for what
// says otherwise.
type conn struct {
	// Immutable once the connection is accepted.
	server *Server
	loop   *loop.Loop // nil: it was never to be on one
	place  accept.Place
	remote string               // address of the peer
	tls    *tls.ConnectionState // nil: not encrypted

	fd      atomic.Int32 // -1: not known
	evicted atomic.Bool

	socket  *loop.Socket
	held    []byte    // of requests that are not answered yet
	need    int       // how much is needed to go on, if that is known
	began   time.Time // when the request came that is not complete; zero: there is none
	fresh   bool      // no request was answered yet
	blanks  int       // bytes of line ends that may still come before a request
	due     time.Time // when the connection ends
	armed   time.Time // when the socket's deadline comes, due or before
	state   state
	running *exchange // of a request whose answer takes its time
}

// A state is how far a connection is on its way through the package.
type state uint8

const (
	serving state = iota
	closing       // the last answer is written
	leaving       // it goes to net/http
	over          // it has ended, or is somebody else's
)

var (
	_ loop.Handler     = (*conn)(nil)
	_ loop.Flushed     = (*conn)(nil)
	_ loop.HalfHandler = (*conn)(nil)
	_ accept.Owner     = (*conn)(nil)
)

// opened is called on the loop with the socket of the connection.
func (c *conn) opened(s *loop.Socket) loop.Handler {
	c.socket, c.fresh = s, true
	c.fd.Store(int32(s.Descriptor()))
	c.expireAt(s.Loop().Now().Add(c.server.cfg.Header))
	if c.evicted.Load() || s.Descriptor() < 0 {
		s.Drop(errEvicted)
	}
	return c
}

// Silent implements [accept.Owner].
func (c *conn) Silent() bool { return silent(int(c.fd.Load())) }

// Evict implements [accept.Owner].
func (c *conn) Evict() {
	c.evicted.Store(true)
	if c.loop == nil {
		return // it goes to net/http at this very moment
	}
	c.loop.Post(func(int) {
		if c.socket != nil && c.state != over {
			c.socket.Drop(errEvicted)
		}
	}, 1)
}

// A step is what is to be done after requests were answered.
type step uint8

const (
	readOn  step = iota // what is left waits for more
	goOn                // what is left is for the next turn
	await               // an answer takes its time
	finish              // that was the last answer
	handOff             // what is left is for net/http
	become              // a handler takes the connection over
	fail                // the handler has failed
)

// Input implements [loop.Handler].
func (c *conn) Input(b []byte) {
	if c.state != serving || c.running != nil {
		return // what comes behind the last request is none
	}
	if len(c.held) > 0 {
		sameLine := len(b) > 0 && c.need == 0 && bytes.IndexByte(b, '\n') < 0
		c.held = append(c.held, b...)
		b = c.held
		if len(b) < c.need || sameLine && len(b) < maxHead {
			c.place.Hold(len(b))
			return
		}
	}
	x := c.server.exchange(c.loop)
	x.out = x.out[:0]
	rest, next := c.serve(x, b)
	if len(x.out) > 0 {
		c.socket.Send(frame.Bytes(bytes.Clone(x.out)))
	}
	c.keep(rest)
	c.proceed(x, next)
}

// serve answers the requests in b, and returns what is left of it.
func (c *conn) serve(x *exchange, b []byte) (rest []byte, next step) {
	c.need = 0
	for n := 0; ; n++ {
		if b = c.skipBlanks(b); len(b) == 0 {
			return nil, readOn
		}
		if n == turnRequests || len(x.out) > maxWaiting {
			return b, goOn
		}
		r, size, v := x.Parse(b)
		switch v {
		case Incomplete:
			return b, readOn
		case Other:
			return b, handOff
		}
		handler := c.find(r)
		if handler == nil {
			return b, handOff
		}
		if need := size + int(r.ContentLength); len(b) < need {
			if r.ContentLength > maxBody {
				return b, handOff
			}
			c.need = need
			return b, readOn
		}
		text := b[size : size+int(r.ContentLength)]
		b = b[size+len(text):]
		if next := c.answer(x, handler, r, text); next != readOn {
			return b, next
		}
	}
}

// skipBlanks takes line ends away that old clients send behind a body, as many
// as net/http does (RFC 9112, 2.2).
func (c *conn) skipBlanks(b []byte) []byte {
	for len(b) > 0 && c.blanks > 0 {
		if b[0] != '\r' && b[0] != '\n' {
			c.blanks = 0
			break
		}
		b = b[1:]
		c.blanks--
	}
	return b
}

// find returns who answers a request on a loop, or nil.
func (c *conn) find(r *http.Request) Handler {
	r.RemoteAddr, r.TLS = c.remote, c.tls
	site := c.server.site.Load()
	return site.Find(r)
}

// answer answers one request.
func (c *conn) answer(x *exchange, h Handler, r *http.Request, text []byte) step {
	if len(text) > 0 {
		x.body.Reset(text)
		r.Body = &x.body
	}
	x.Response.reset()
	rest, ok := c.call(func() func() { return h.ServeLoop(&x.Response, r) })
	c.fresh, c.began = false, time.Time{}
	if r.Method == http.MethodPost {
		c.blanks = lineEnds
	}
	switch {
	case !ok:
		return fail
	case rest != nil:
		c.wait(x, r, rest)
		return await
	}
	return c.write(x, r.Close)
}

// write appends an answer to what is sent.
func (c *conn) write(x *exchange, last bool) step {
	if x.taken != nil {
		x.out = append(x.out, x.Response.body...)
		if x.open == nil {
			return finish
		}
		c.server.cfg.Metrics.upgraded.Inc()
		return become
	}
	c.server.cfg.Metrics.answered.Inc()
	var closes bool
	x.out, closes = x.Response.append(x.out, x.date(c.loop.Now()), last || c.server.leaving.Load())
	if closes {
		return finish
	}
	return readOn
}

// call calls a handler, whose panics end the connection and no more, as those of
// handlers of net/http do.
func (c *conn) call(serve func() func()) (rest func(), ok bool) {
	defer func() {
		if v := recover(); v != nil {
			rest, ok = nil, false
			if v != http.ErrAbortHandler {
				c.server.cfg.Log.Printf("http: panic serving %s: %v\n%s", c.remote, v, debug.Stack())
			}
		}
	}()
	return serve(), true
}

// wait has a goroutine do what is left to do for an answer. It takes the exchange
// with it.
func (c *conn) wait(x *exchange, r *http.Request, rest func()) {
	c.server.cfg.Metrics.waited.Inc()
	if n := x.body.Len(); n > 0 {
		text := make([]byte, n)
		_, _ = x.body.Read(text) // from memory
		x.body.Reset(text)
	}
	c.server.exchanges[c.loop.Index()] = nil
	x.last = r.Close
	c.running = x
	c.place.Begin()
	c.server.waiting.Go(func() {
		_, ok := c.call(func() func() { rest(); return nil })
		c.loop.Post(func(int) { c.waited(x, ok) }, 1)
	})
}

// waited is called when the answer is there.
func (c *conn) waited(x *exchange, ok bool) {
	c.running = nil
	c.server.exchanges[c.loop.Index()] = x
	if c.state == over {
		return
	}
	c.place.End()
	if !ok {
		c.proceed(x, fail)
		return
	}
	x.out = x.out[:0]
	next := c.write(x, x.last)
	c.socket.Send(frame.Bytes(bytes.Clone(x.out)))
	if next == readOn {
		next = goOn
	}
	c.proceed(x, next)
}

// keep keeps what is left of the input for the next time.
func (c *conn) keep(rest []byte) {
	switch {
	case len(rest) == 0:
		c.held = nil
	case len(c.held) == 0:
		c.held = bytes.Clone(rest)
	default:
		c.held = append(c.held[:0], rest...)
	}
}

// proceed does what comes after answers.
func (c *conn) proceed(x *exchange, next step) {
	s := c.socket
	switch next {
	case fail:
		s.Drop(nil)
	case finish:
		c.state, c.held = closing, nil
		s.Pause()
		s.Finish()
	case handOff:
		c.handOff()
	case become:
		c.end()
		s.Become(c.held, x.open)
	case await:
		s.Pause()
		c.expireAt(c.loop.Now().Add(c.server.cfg.Idle))
	case goOn, readOn:
		c.account()
		switch {
		case s.Waiting() > maxWaiting:
			s.Pause()
			s.TellFlushed()
		case next == goOn:
			s.Pause()
			c.loop.Post(func(int) { s.Proceed() }, 1)
		}
	}
}

// account tells of what there is of a request, and how long the rest may take.
func (c *conn) account() {
	now, cfg := c.loop.Now(), &c.server.cfg
	if !c.fresh && c.began.IsZero() {
		c.place.Answered()
	}
	if len(c.held) == 0 {
		c.expireAt(now.Add(cfg.Idle))
		return
	}
	c.place.Hold(len(c.held))
	switch {
	case c.began.IsZero():
		c.began = now
		if !c.fresh { // the time of the first one has begun when it was accepted
			c.expireAt(now.Add(cfg.Header))
		}
	}
	if c.need > 0 {
		c.expireAt(c.began.Add(cfg.Read))
	}
}

// Flushed implements [loop.Flushed]: the client takes answers again.
func (c *conn) Flushed() { c.socket.Proceed() }

// expireAt makes the connection end at a time. Most times are moved on before
// they come, so the socket's deadline is only moved if it would come too late.
func (c *conn) expireAt(t time.Time) {
	c.due = t
	if c.armed.IsZero() || t.Before(c.armed) {
		c.armed = t
		c.socket.SetDeadline(t)
	}
}

// Expired implements [loop.Handler].
func (c *conn) Expired() {
	c.armed = time.Time{}
	switch now := c.loop.Now(); {
	case now.Before(c.due):
		c.expireAt(c.due)
	case c.running != nil:
		c.expireAt(now.Add(c.server.cfg.Idle))
	default:
		c.socket.Drop(os.ErrDeadlineExceeded)
	}
}

// handOff gives the connection to net/http, with what was read of it.
func (c *conn) handOff() {
	c.state = leaving
	c.socket.Leave(func(nc net.Conn, err error) {
		early := c.held
		c.held = nil
		if err != nil {
			c.end()
			return
		}
		c.state = over
		c.server.forget(c)
		c.server.cfg.Metrics.handed.Inc()
		c.server.give(c.returned(nc, early))
	})
}

// returned is the connection as net/http gets it.
func (c *conn) returned(nc net.Conn, early []byte) net.Conn {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return c.place.Return(nc, early)
	}
	below := t.NetConn().(*accept.Conn)
	c.place.ReturnTo(below, below.Conn)
	return &encrypted{Conn: t, early: early}
}

// PeerEnded implements [loop.HalfHandler]. Who sends no more may still read
// answers, and net/http knows what to say to the beginning of a request.
func (c *conn) PeerEnded() bool {
	switch {
	case c.state == closing, c.state == leaving:
	case c.running != nil:
		c.running.last = true
	case len(c.held) > 0:
		c.handOff()
	case c.socket.Waiting() > 0:
		c.state = closing
		c.socket.Finish()
	default:
		return false
	}
	return true
}

// retire ends the connection, if it is between requests. An answer says
// otherwise that it is the last.
func (c *conn) retire() {
	if c.state == serving && c.running == nil && len(c.held) == 0 && c.socket != nil {
		c.state = closing
		c.socket.Finish()
	}
}

// Overflow implements [loop.Handler]. It is not called: before so much waits,
// nothing is read.
func (c *conn) Overflow() { c.socket.Drop(os.ErrDeadlineExceeded) }

// Drain implements [loop.Handler]. Backends are served until the server is shut
// down, and who is a client is not known yet.
func (c *conn) Drain(time.Time) {}

// Closed implements [loop.Handler].
func (c *conn) Closed(error) { c.end() }

// end is the end of the connection here.
func (c *conn) end() {
	c.state = over
	c.place.Leave()
	c.server.forget(c)
}

// An encrypted is a connection with TLS that goes on with net/http, which reads
// the early bytes first. As it is no [tls.Conn], net/http asks it for its state.
type encrypted struct {
	*tls.Conn
	early []byte
}

func (e *encrypted) Read(b []byte) (int, error) {
	if len(e.early) > 0 {
		n := copy(b, e.early)
		e.early = e.early[n:]
		return n, nil
	}
	return e.Conn.Read(b)
}

// Bare is what [accept.Release] returns: the connection of TLS itself, when
// nothing was read ahead any more.
func (e *encrypted) Bare() net.Conn {
	if len(e.early) > 0 {
		return e
	}
	return e.Conn
}
