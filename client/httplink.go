package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// rotateAt is how much of a streaming answer is read, in UTF-16 code units
// of its lines, before the next one is asked for. Servers that hold back
// what would be lost count the same.
const rotateAt = 256 << 10

// An httpLink is a session of an HTTP transport. One request at a time
// receives; events are sent with requests of their own.
type httpLink struct {
	client    *http.Client
	transport *http.Transport
	header    http.Header
	query     string
	streaming bool
	timeout   time.Duration // of a send
	limit     int64
	ctx       context.Context // ends with the link; kept for the requests of its reader and writer, which end with it
	cancel    context.CancelFunc
	hooks     hooks

	mu sync.Mutex
	// Guarded by mu.
	base *url.URL // of the session
	n    int      // requests

	// Owned by the reader.
	body     io.ReadCloser // of the request that receives; nil: none
	lines    *bufio.Reader
	units    int // UTF-16 code units of the lines of body
	opened   bool
	messages []json.RawMessage // received, and not read yet
	line     []byte
}

// dialHTTP opens a session below base. Ctx bounds the opening, parent the link.
func dialHTTP(ctx, parent context.Context, cfg *Config, base *url.URL, query string, header http.Header, streaming bool) (link, error) {
	transport := &http.Transport{
		Proxy:              cfg.Proxy,
		DialContext:        cfg.DialContext,
		TLSClientConfig:    cfg.TLSConfig.Clone(),
		ForceAttemptHTTP2:  true,
		DisableCompression: true, // which would hold back what is streamed
		IdleConnTimeout:    cfg.ActivityTimeout,
	}
	l := &httpLink{
		client: &http.Client{Transport: transport, Jar: cfg.CookieJar, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		transport: transport, header: header, query: query, streaming: streaming,
		timeout: cfg.WriteTimeout, limit: cfg.MaxMessageSize,
		base: base.JoinPath(strconv.Itoa(rand.IntN(1000)), sessionName()),
	}
	l.ctx, l.cancel = context.WithCancel(parent)
	stop := context.AfterFunc(ctx, l.cancel)
	err := l.open()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.abort()
		return nil, err
	}
	return l, nil
}

// sessionName is what tells a session from others, and what whoever knows it
// can send with.
func sessionName() string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	var b strings.Builder
	for range 8 {
		b.WriteByte(digits[rand.IntN(len(digits))]) // seeded by the system's random numbers
	}
	return b.String()
}

// open receives until the session is open.
func (l *httpLink) open() error {
	for !l.opened {
		if err := l.next(); err != nil {
			return err
		}
	}
	return nil
}

// url is where the next request goes.
func (l *httpLink) url(what, query string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	u := l.base.JoinPath(what)
	u.RawQuery = strings.TrimPrefix(fmt.Sprintf("%s&t=%d&n=%d", query, time.Now().UnixMilli(), l.n), "&")
	return u.String()
}

// post makes a request of the session.
func (l *httpLink) post(ctx context.Context, what, query string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url(what, query), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = l.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	return response, nil
}

// receive asks for what the service has to say.
func (l *httpLink) receive() error {
	what, t := "xhr", XHRPolling
	if l.streaming {
		what, t = "xhr_streaming", XHRStreaming
	}
	response, err := l.post(l.ctx, what, l.query, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return refused(t, response)
	}
	l.body, l.lines, l.units = response.Body, bufio.NewReader(response.Body), 0
	return nil
}

// next takes the next line, of the answer that is being read or of another.
func (l *httpLink) next() error {
	if l.body == nil {
		if err := l.receive(); err != nil {
			return err
		}
	}
	line, err := l.readLine()
	if err != nil {
		l.body.Close()
		l.body = nil
		if errors.Is(err, io.EOF) && !l.streaming && l.ctx.Err() == nil {
			return l.rest() // and then the next poll follows
		}
		if errors.Is(err, io.EOF) {
			err = errGone
		}
		return err
	}
	if l.hooks.seen != nil {
		l.hooks.seen()
	}
	l.units += utf16Len(line) + 1
	if err := l.take(line); err != nil {
		return err
	}
	if l.streaming && l.units > rotateAt && l.lines.Buffered() == 0 {
		l.body.Close()
		l.body = nil
	}
	return nil
}

// emptyPollPause is how long the next poll waits after one that was answered
// with nothing, which no service should do.
const emptyPollPause = time.Second

// rest waits if the poll that has ended had nothing to say.
func (l *httpLink) rest() error {
	if l.units > 0 {
		return nil
	}
	timer := time.NewTimer(emptyPollPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// readLine reads up to the next line feed, which it leaves out.
func (l *httpLink) readLine() ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.lines.ReadSlice('\n')
		l.line = append(l.line, part...)
		// A message is a string in a string, so that it takes more room.
		if int64(len(l.line)) > 6*l.limit {
			return nil, &messageError{int(protocol.CloseTooBig), "a line that is too long"}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, err
		default:
			return bytes.TrimSuffix(l.line, []byte("\n")), nil
		}
	}
}

// utf16Len is how long text is to a browser.
func utf16Len(text []byte) int {
	n := 0
	for _, b := range text {
		switch {
		case b >= 0xf0: // four bytes, two units
			n += 2
		case b < 0x80 || b >= 0xc0:
			n++
		}
	}
	return n
}

// take does what a line says.
func (l *httpLink) take(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	rest := line[1:]
	switch line[0] {
	case 'o':
		return l.takeOpen(rest)
	case 'a':
		var list []json.RawMessage
		if err := json.Unmarshal(rest, &list); err != nil {
			return &messageError{int(protocol.CloseProtocol), "a line that is no list of events"}
		}
		l.messages = append(l.messages, list...)
	case 'm':
		l.messages = append(l.messages, bytes.Clone(rest))
	case 'h':
		if l.streaming && l.opened && l.hooks.pong != nil {
			l.hooks.pong(nil)
		}
	case 'c':
		return closed(rest)
	}
	return nil
}

// takeOpen takes the line that a session begins with.
func (l *httpLink) takeOpen(rest []byte) error {
	if l.opened {
		return fmt.Errorf("%w: the service lost the session", errGone)
	}
	l.opened = true
	var pinned struct {
		Hostname string `json:"hostname"`
	}
	if len(rest) > 0 && json.Unmarshal(rest, &pinned) == nil && pinned.Hostname != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		u := *l.base
		u.Host = pinned.Hostname
		if port := l.base.Port(); port != "" {
			u.Host += ":" + port
		}
		l.base = &u
	}
	return nil
}

// closed reads the line that a session ends with.
func closed(rest []byte) error {
	var parts []json.RawMessage
	e := &CloseError{Code: 1005}
	if json.Unmarshal(rest, &parts) == nil && len(parts) == 2 {
		json.Unmarshal(parts[0], &e.Code)
		e.Reason = content(parts[1])
	}
	return e
}

func (l *httpLink) attach(h hooks) { l.hooks = h }

func (l *httpLink) read() ([]byte, bool, error) {
	for len(l.messages) == 0 {
		if err := l.next(); err != nil {
			return nil, false, err
		}
	}
	message := l.messages[0]
	if l.messages = l.messages[1:]; len(l.messages) == 0 {
		l.messages = nil
	}
	text := content(message)
	if int64(len(text)) > l.limit {
		return nil, false, &messageError{int(protocol.CloseTooBig), fmt.Sprintf("a message of more than %d bytes", l.limit)}
	}
	return []byte(text), false, nil
}

// drain does nothing: a session that is closed says no more.
func (l *httpLink) drain() {}

// write sends all events in one request, and another one as a sign of life if
// that is asked for.
func (l *httpLink) write(list []outgoing) error {
	var events []string
	alive := false
	for _, o := range list {
		switch o.kind {
		case sendEvent:
			events = append(events, string(o.data))
		case sendPing, sendPong:
			alive = true
		}
	}
	if len(events) > 0 {
		if err := l.send(events); err != nil {
			return err
		}
	}
	if alive {
		return l.send([]string{})
	}
	return nil
}

// send posts events.
func (l *httpLink) send(events []string) error {
	body, err := encode(events)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.timeout)
	defer cancel()
	response, err := l.post(ctx, "xhr_send", "", body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return &sendError{response.Status}
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxKept))
	return err
}

// A sendError says that the service did not take what was sent. If that is
// because the session has ended, it says why to the next request that receives.
type sendError struct{ status string }

func (e *sendError) Error() string { return "client: events were answered with " + e.status }

// closeBy ends the link at once: there is no goodbye on this transport.
func (l *httpLink) closeBy(time.Time) { l.abort() }

func (l *httpLink) abort() {
	l.cancel()
	l.transport.CloseIdleConnections()
}
