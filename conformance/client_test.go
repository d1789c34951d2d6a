package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A conn is a WebSocket connection under the control of one test, which alone
// uses it. It reads only when the test waits for something; while it reads it
// answers control Pings, unless it is deaf.
type conn struct {
	t      *testing.T
	app    *app
	net    net.Conn
	r      *bufio.Reader
	header http.Header // of the upgrade answer
	id     string      // socket id, once established

	inflate *inflater // when compression was negotiated
	deaf    bool      // leaves control Pings unanswered
	pings   int       // control Pings received
	pongs   []string  // payloads of control Pongs received
	last    string    // what was sent last, for failure messages
	barrier string    // channel of nothing
}

// A closeError is a Close frame that the server sent.
type closeError struct {
	code   int
	reason string
}

func (e *closeError) Error() string { return fmt.Sprintf("closed %d %q", e.code, e.reason) }

// closeCode is the code of a Close frame that ended a read, or 0.
func closeCode(err error) int {
	if closing, ok := errors.AsType[*closeError](err); ok {
		return closing.code
	}
	return 0
}

var (
	errSilence = errors.New("no frame")
	errFraming = errors.New("framing broken")
)

// writeFrame sends one frame, masked, exactly as it is given otherwise.
func (c *conn) writeFrame(h ws.Header, payload []byte) {
	c.t.Helper()
	if err := c.tryWriteFrame(h, payload); err != nil {
		c.t.Fatalf("write: %v (after %s)", err, short(c.last))
	}
}

func (c *conn) tryWriteFrame(h ws.Header, payload []byte) error {
	_, err := c.net.Write(frameBytes(h, payload))
	return err
}

// frameBytes is a masked frame. A header without length gets that of the
// payload.
func frameBytes(h ws.Header, payload []byte) []byte {
	h.Masked = true
	h.Mask = [4]byte{0x3a, 0x5c, 0x91, 0xe7}
	if h.Length == 0 {
		h.Length = int64(len(payload))
	}
	var b writerOf
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err) // the suite's own mistake
	}
	start := len(b)
	b = append(b, payload...)
	ws.Cipher(b[start:], h.Mask, 0)
	return b
}

// writerOf is a byte slice that is written to.
type writerOf []byte

func (b *writerOf) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// textFrame is one unfragmented text message.
func textFrame(text string) []byte {
	return frameBytes(ws.Header{Fin: true, OpCode: ws.OpText}, []byte(text))
}

// sendText sends one text message as it stands.
func (c *conn) sendText(text string) {
	c.t.Helper()
	c.last = text
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpText}, []byte(text))
}

// sendBytes sends bytes below the framing.
func (c *conn) sendBytes(b []byte) {
	c.t.Helper()
	if _, err := c.net.Write(b); err != nil {
		c.t.Fatalf("write: %v (after %s)", err, short(c.last))
	}
}

// send sends an event of the protocol; data is encoded as JSON, and nil data
// is left out.
func (c *conn) send(event string, data any) {
	c.t.Helper()
	c.sendText(encode(map[string]any{"event": event, "data": data}))
}

// encode is the JSON text of v, without members whose value is nil.
func encode(v any) string {
	if members, ok := v.(map[string]any); ok {
		for name, value := range members {
			if value == nil {
				delete(members, name)
			}
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the suite's own mistake
	}
	return string(text)
}

// read returns the next text message. The error is errSilence when nothing
// came in that time, a *closeError when the server closed, or what broke.
func (c *conn) read(wait time.Duration) (message, error) {
	deadline := time.Now().Add(wait)
	for {
		h, payload, err := c.readFrame(deadline)
		if err != nil {
			return message{}, err
		}
		switch h.OpCode {
		case ws.OpPing:
			c.pings++
			if !c.deaf {
				if err := c.tryWriteFrame(ws.Header{Fin: true, OpCode: ws.OpPong}, payload); err != nil {
					return message{}, err
				}
			}
		case ws.OpPong:
			c.pongs = append(c.pongs, string(payload))
		case ws.OpClose:
			return message{}, c.closed(payload)
		case ws.OpText:
			return c.parse(payload), nil
		default:
			return message{}, fmt.Errorf("%w: frame with opcode %#x", errFraming, h.OpCode)
		}
	}
}

// readFrame reads one frame. Only the wait for its first byte can end in
// errSilence, so that no frame is torn.
func (c *conn) readFrame(deadline time.Time) (ws.Header, []byte, error) {
	_ = c.net.SetReadDeadline(deadline)
	if _, err := c.r.Peek(1); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errSilence
		}
		return ws.Header{}, nil, err
	}
	_ = c.net.SetReadDeadline(time.Now().Add(patience))
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		return h, nil, err
	}
	compressed := c.inflate != nil && h.OpCode == ws.OpText && h.Rsv == ws.Rsv(true, false, false)
	if h.Masked || h.Rsv != 0 && !compressed || h.OpCode.IsControl() && (!h.Fin || h.Length > 125) {
		return h, nil, fmt.Errorf("%w: header %+v", errFraming, h)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return h, nil, err
	}
	for !h.Fin { // a fragmented answer is legal
		next, more, err := c.readFrame(time.Now().Add(patience))
		if err != nil {
			return h, nil, err
		}
		if next.OpCode != ws.OpContinuation {
			return h, nil, fmt.Errorf("%w: %+v inside a message", errFraming, next)
		}
		payload, h.Fin = append(payload, more...), next.Fin
	}
	if compressed {
		payload, err = c.inflate.message(payload)
	}
	return h, payload, err
}

// closed checks a Close frame and answers it.
func (c *conn) closed(payload []byte) error {
	if len(payload) == 1 {
		return fmt.Errorf("%w: close frame with one byte", errFraming)
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if len(reason) > 123 || !utf8.ValidString(reason) {
		return fmt.Errorf("%w: close reason %q is too long or not UTF-8", errFraming, reason)
	}
	_ = c.tryWriteFrame(ws.Header{Fin: true, OpCode: ws.OpClose}, payload) // the server may be gone
	return &closeError{int(code), reason}
}

var socketID = regexp.MustCompile(`^\d+\.\d+$`)

// established reads the first frame, which must be the connection's.
func (c *conn) established() (activityTimeout int) {
	c.t.Helper()
	m := c.next()
	if m.Event != "pusher:connection_established" || m.HasChannel {
		c.t.Fatalf("first frame = %s, want pusher:connection_established", m)
	}
	var data struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(m.Data), &data); err != nil || !socketID.MatchString(data.SocketID) || data.ActivityTimeout < 1 {
		c.t.Fatalf("first frame = %s, want a socket_id and an activity_timeout (%v)", m, err)
	}
	c.id = data.SocketID
	return data.ActivityTimeout
}

// hangUp closes the WebSocket properly and waits until the server has too.
func (c *conn) hangUp() {
	c.t.Helper()
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpClose}, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	for {
		_, err := c.read(patience)
		if closing, ok := errors.AsType[*closeError](err); ok {
			if closing.code != 1000 {
				c.t.Errorf("answer to Close 1000 = %v, want closed 1000", closing)
			}
			break
		}
		if err != nil {
			c.t.Fatalf("wait for the answer to Close: %v", err)
		}
	}
	c.gone()
}

// gone waits until the server has dropped the TCP connection after a Close.
func (c *conn) gone() {
	c.t.Helper()
	_ = c.net.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(c.r)
	if len(rest) > 0 {
		c.t.Errorf("%d bytes after the Close frame, want none: %q", len(rest), short(string(rest)))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("TCP connection is still there %v after both Close frames", patience)
	}
	_ = c.net.Close()
}
