package client

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/protocol"
)

// maxKept is the largest buffer that is kept for the next message.
const maxKept = 64 << 10

func (l *wsLink) attach(h hooks) { l.hooks = h }

func (l *wsLink) closeBy(t time.Time) { l.conn.SetReadDeadline(t) }

func (l *wsLink) drain() { io.Copy(io.Discard, l.conn) }

func (l *wsLink) abort() { l.raw.Close() }

// read returns the next message and takes control frames on the way.
func (l *wsLink) read() (text []byte, isBinary bool, err error) {
	if l.message = l.message[:0]; cap(l.message) > maxKept {
		l.message = nil
	}
	var kind ws.OpCode // of the message; 0 before its first frame
	compressed := false
	for {
		h, err := l.header(kind != 0)
		if err != nil {
			return nil, false, err
		}
		if h.OpCode.IsControl() {
			if err := l.control(h); err != nil {
				return nil, false, err
			}
			continue
		}
		if kind == 0 {
			kind, compressed = h.OpCode, h.Rsv1()
		}
		if h.Length > l.limit-int64(len(l.message)) {
			return nil, false, l.tooLong()
		}
		if l.message, err = appendPayload(l.message, l.r, int(h.Length)); err != nil {
			return nil, false, err
		}
		if !h.Fin {
			continue
		}
		text = l.message
		if compressed {
			if text, err = l.inflate.message(l.message, l.limit); err != nil {
				return nil, false, err
			}
		}
		if kind == ws.OpText && !utf8.Valid(text) {
			return nil, false, &messageError{int(protocol.CloseInvalidText), "a message that is not UTF-8"}
		}
		return text, kind != ws.OpText, nil
	}
}

func (l *wsLink) tooLong() error {
	return &messageError{int(protocol.CloseTooBig), fmt.Sprintf("a message of more than %d bytes", l.limit)}
}

// header reads the next frame's header and checks what a server may send.
func (l *wsLink) header(within bool) (ws.Header, error) {
	h, err := ws.ReadHeader(l.r)
	if err != nil {
		return h, err
	}
	state := ws.StateClientSide
	if within {
		state = state.Set(ws.StateFragmented)
	}
	if l.compress {
		state = state.Set(ws.StateExtended)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, &messageError{int(protocol.CloseProtocol), "a broken frame: " + err.Error()}
	}
	if h.Masked || h.Rsv1() && (within || h.OpCode.IsControl()) || h.Rsv2() || h.Rsv3() || h.Length < 0 {
		return h, &messageError{int(protocol.CloseProtocol), "a broken frame"}
	}
	return h, nil
}

// appendPayload reads n bytes. Room is made as they arrive, not as they are
// announced.
func appendPayload(dst []byte, r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	for n > 0 {
		part := min(n, step)
		start := len(dst)
		dst = append(dst, make([]byte, part)...)
		if _, err := io.ReadFull(r, dst[start:]); err != nil {
			return dst, err
		}
		n -= part
	}
	return dst, nil
}

// control takes a control frame.
func (l *wsLink) control(h ws.Header) error {
	payload, err := appendPayload(nil, l.r, int(h.Length))
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		if l.hooks.pong != nil {
			l.hooks.pong(payload)
			return nil
		}
		return l.write([]outgoing{{kind: sendPong, data: payload}}) // in the handshake, there is no writer
	case ws.OpPong:
		if l.hooks.got != nil {
			l.hooks.got(payload)
		}
		return nil
	}
	if len(payload) < 2 {
		return &CloseError{Code: 1005}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(bytes.ToValidUTF8(payload[2:], nil))}
}

// write sends everything in one write to the connection.
func (l *wsLink) write(list []outgoing) error {
	l.out = l.out[:0]
	for _, o := range list {
		switch o.kind {
		case sendEvent:
			if err := l.frame(ws.OpText, o.data); err != nil {
				return err
			}
		case sendPing:
			l.controlFrame(ws.OpPing, nil)
		case sendPong:
			l.controlFrame(ws.OpPong, o.data)
		case sendClose:
			l.controlFrame(ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(o.code), ""))
		}
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(l.timeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(l.out)
	if cap(l.out) > maxKept {
		l.out = nil
	}
	return err
}

// controlFrame appends a control frame.
func (l *wsLink) controlFrame(op ws.OpCode, payload []byte) {
	l.append(ws.Header{Fin: true, OpCode: op}, payload)
}

// frame appends a message, compressed if that was agreed on.
func (l *wsLink) frame(op ws.OpCode, payload []byte) error {
	h := ws.Header{Fin: true, OpCode: op}
	if l.compress {
		packed, err := l.deflate.message(payload)
		if err != nil {
			return err
		}
		payload, h.Rsv = packed, ws.Rsv(true, false, false)
	}
	l.append(h, payload)
	return nil
}

// append appends a frame, masked as those of clients have to be.
func (l *wsLink) append(h ws.Header, payload []byte) {
	h.Masked, h.Length = true, int64(len(payload))
	rand.Read(h.Mask[:]) // never fails
	b := bytes.NewBuffer(l.out)
	ws.WriteHeader(b, h) // a Buffer takes everything
	b.Write(payload)
	l.out = b.Bytes()
	ws.Cipher(l.out[len(l.out)-len(payload):], h.Mask, 0)
}

// tail is what a compressed message is cut by: the end of an empty block.
var tail = []byte{0, 0, 0xff, 0xff}

// A deflater compresses messages, each by itself. The zero deflater is ready.
type deflater struct {
	w *flate.Writer
	b bytes.Buffer
}

// message returns a message compressed, valid until the next one.
func (d *deflater) message(payload []byte) (packed []byte, err error) {
	d.b.Reset()
	if d.w == nil {
		if d.w, err = flate.NewWriter(&d.b, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		d.w.Reset(&d.b)
	}
	if _, err := d.w.Write(payload); err != nil {
		return nil, err
	}
	if err := d.w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(d.b.Bytes(), tail), nil
}

// An inflater undoes what a deflater does. The zero inflater is ready.
type inflater struct {
	r io.ReadCloser
	b bytes.Buffer
}

// message returns a message in full, valid until the next one.
func (i *inflater) message(packed []byte, limit int64) ([]byte, error) {
	// After the tail, an empty last block ends the stream.
	source := io.MultiReader(bytes.NewReader(packed), bytes.NewReader(tail), bytes.NewReader([]byte{1, 0, 0, 0xff, 0xff}))
	if i.r == nil {
		i.r = flate.NewReader(source)
	} else if err := i.r.(flate.Resetter).Reset(source, nil); err != nil {
		return nil, err
	}
	i.b.Reset()
	n, err := i.b.ReadFrom(io.LimitReader(i.r, limit+1))
	switch {
	case n > limit:
		return nil, &messageError{int(protocol.CloseTooBig), fmt.Sprintf("a message of more than %d bytes", limit)}
	case err != nil:
		return nil, &messageError{int(protocol.CloseInvalidText), "a message that does not decompress: " + err.Error()}
	}
	return i.b.Bytes(), nil
}

// errGone is the end of a link that nobody announced.
var errGone = errors.New("client: the connection broke")
