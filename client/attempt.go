package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// When the HTTP transports join an attempt that is not over.
const (
	fallbackAfter = 2 * time.Second // after WebSocket
	pollingAfter  = 4 * time.Second // after streaming
)

// An attempt is one try to connect, over one transport or several at a time.
type attempt struct {
	s      *session
	ctx    context.Context
	cancel context.CancelFunc
	number int

	// Guarded by Client.mu.
	waiting []Transport // not begun yet
	running int
	join    *timer
	err     error // of the first transport that failed
}

// An opened is a link that has passed the handshake.
type opened struct {
	transport Transport
	link      link
	socketID  string
	activity  time.Duration // what the service asks for; 0 if nothing
}

// connect makes one attempt. It returns the link that won, or why there is
// none, or neither if the session is over.
func (s *session) connect() (*opened, *failure) {
	a := s.begin()
	if a == nil {
		return nil, nil
	}
	defer a.end()
	for {
		m, ok := s.next()
		switch {
		case !ok:
			return nil, nil
		case m.kind == mailRestart:
			return nil, restart()
		case m.kind != mailOpened:
		case m.of != a:
			if m.opened != nil {
				m.opened.link.abort()
			}
		case m.opened != nil:
			return m.opened, nil
		default:
			if f := a.failed(m.err); f != nil {
				return nil, f
			}
		}
	}
}

// begin starts an attempt with the first transport.
func (s *session) begin() *attempt {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over {
		return nil
	}
	a := &attempt{s: s, number: s.retries + 1}
	a.ctx, a.cancel = context.WithTimeoutCause(s.ctx, c.cfg.HandshakeTimeout, ErrHandshakeTimeout)
	for _, t := range c.cfg.Transports {
		if t != XHRStreaming || s.cuts < 2 {
			a.waiting = append(a.waiting, t)
		}
	}
	if len(a.waiting) == 0 { // streaming alone, and it keeps dying
		a.waiting = slices.Clone(c.cfg.Transports)
	}
	c.stats.Attempts++
	a.nextLocked()
	return a
}

// end keeps transports that have not begun from doing so, and gives up those
// that have.
func (a *attempt) end() {
	a.cancel()
	c := a.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	a.waiting = nil
	a.s.cancelLocked(a.join)
}

// nextLocked begins with the next transport, and sees to it that the one after
// it joins in time.
func (a *attempt) nextLocked() {
	s := a.s
	s.cancelLocked(a.join)
	a.join = nil
	if len(a.waiting) == 0 {
		return
	}
	t := a.waiting[0]
	a.waiting = a.waiting[1:]
	a.running++
	target := *s.c.targetLocked(s.forceTLS)
	s.c.life.start(func() { a.open(t, target) })
	if len(a.waiting) > 0 {
		after := fallbackAfter
		if t != WebSocket {
			after = pollingAfter
		}
		a.join = s.afterLocked(after, a.nextLocked)
	}
}

// failed takes the failure of one transport. The attempt is over if none is
// left, or if the service has said what it wants.
func (a *attempt) failed(err error) *failure {
	c := a.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	a.running--
	if a.err == nil {
		a.err = err
	}
	if _, ok := errors.AsType[*CloseError](err); ok || errors.Is(err, ErrAbort) {
		return classify(err, false)
	}
	if len(a.waiting) > 0 {
		a.nextLocked()
		return nil
	}
	if a.running > 0 {
		return nil
	}
	return classify(a.err, false)
}

// A target is where an attempt goes.
type target struct {
	key       string
	endpoint  Endpoint
	query     string
	webSocket *url.URL
	http      *url.URL
}

// targetLocked is where to connect to now.
func (c *Client) targetLocked(forceTLS bool) *target {
	e := c.endpoint
	if forceTLS {
		e.Insecure = false
	}
	query := url.Values{"protocol": {"7"}, "client": {c.cfg.ClientName}, "version": {c.cfg.ClientVersion}}.Encode()
	return &target{key: c.key, endpoint: e, query: query, webSocket: e.webSocketURL(c.key, query), http: e.httpURL(c.key)}
}

// open connects over one transport and tells the session of the result. It
// runs in a goroutine of its own.
func (a *attempt) open(t Transport, where target) {
	o, err := a.dial(t, where)
	c := a.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.s.over {
		if o != nil {
			o.link.abort()
		}
		return
	}
	a.s.postLocked(mail{kind: mailOpened, of: a, opened: o, err: err})
}

// dial opens a link and does the handshake.
func (a *attempt) dial(t Transport, where target) (*opened, error) {
	c := a.s.c
	try := &ConnectAttempt{Number: a.number, Transport: t, URL: where.webSocket, Header: c.cfg.Header.Clone()}
	if t != WebSocket {
		try.URL = where.http
	}
	if try.Header == nil {
		try.Header = http.Header{}
	}
	if before := c.cfg.BeforeConnect; before != nil {
		if err := before(a.ctx, try); err != nil {
			return nil, a.dialError(t, err)
		}
	}
	if f := c.cfg.Trace.DialStart; f != nil {
		f(t, try.URL.String())
	}
	l, err := a.link(t, try, where)
	if f := c.cfg.Trace.DialDone; f != nil {
		f(t, err)
	}
	if err != nil {
		return nil, a.dialError(t, err)
	}
	stop := context.AfterFunc(a.ctx, l.abort)
	o, err := c.handshake(l)
	if !stop() && err == nil {
		err = context.Cause(a.ctx)
	}
	if err != nil {
		l.abort()
		return nil, a.dialError(t, err)
	}
	o.transport = t
	return o, nil
}

func (a *attempt) link(t Transport, try *ConnectAttempt, where target) (link, error) {
	c := a.s.c
	if t == WebSocket {
		return dialWebSocket(a.ctx, &c.cfg, try.URL, try.Header)
	}
	return dialHTTP(a.ctx, a.s.ctx, &c.cfg, try.URL, where.query, try.Header, t == XHRStreaming)
}

// dialError says over which transport what went wrong. What the service said
// stays as it is.
func (a *attempt) dialError(t Transport, err error) error {
	if cause := context.Cause(a.ctx); cause != nil && errors.Is(cause, ErrHandshakeTimeout) {
		err = ErrHandshakeTimeout
	}
	switch {
	case errors.Is(err, ErrAbort):
		return err
	case isType[*CloseError](err), isType[*ServerError](err), isType[*DialError](err):
		return err
	}
	return &DialError{Transport: t, Err: err}
}

func isType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// handshake reads the first event of a link.
func (c *Client) handshake(l link) (*opened, error) {
	text, binary, err := l.read()
	if err != nil {
		return nil, err
	}
	c.traceReceived(text)
	if binary {
		return nil, protocolError(text, errBinary)
	}
	m, perr := protocol.ParseMessage(text)
	if perr != nil {
		return nil, protocolError(text, errors.New(perr.Message))
	}
	switch m.Event {
	case protocol.EventConnectionEstablished:
		return established(l, text, m.Data)
	case protocol.EventError:
		e := serverError(m.Data)
		if e.HasCode {
			return nil, &CloseError{Code: e.Code, Reason: e.Message}
		}
		return nil, e
	}
	return nil, protocolError(text, fmt.Errorf("%s before the connection was established", m.Event))
}

// established reads the data of the event that a connection begins with.
func established(l link, text, data []byte) (*opened, error) {
	var parsed struct {
		SocketID        json.RawMessage `json:"socket_id"`
		ActivityTimeout any             `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(content(data)), &parsed); err != nil {
		return nil, protocolError(text, err)
	}
	o := &opened{link: l, socketID: id(parsed.SocketID)}
	if o.socketID == "" {
		return nil, protocolError(text, errors.New("there is no socket id"))
	}
	if seconds, ok := parsed.ActivityTimeout.(float64); ok && seconds > 0 && seconds < math.MaxInt32 {
		o.activity = max(time.Duration(seconds*float64(time.Second)), minTimeout)
	}
	return o, nil
}

// serverError reads the data of pusher:error: an object, a string that holds
// one, or whatever a server makes of it.
func serverError(data []byte) *ServerError {
	var parsed struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	text := string(data)
	if json.Valid(data) {
		text = content(data)
	}
	if json.Unmarshal([]byte(text), &parsed) != nil {
		return &ServerError{Message: text}
	}
	e := &ServerError{Message: content(parsed.Message)}
	var code float64
	if json.Unmarshal([]byte(id(parsed.Code)), &code) == nil && code == math.Trunc(code) && math.Abs(code) < math.MaxInt32 {
		e.Code, e.HasCode = int(code), true
	}
	return e
}
