// Package frame holds outbound messages in the form in which they leave.
//
// A message to clients is encoded once, whoever receives it: a [Frame] is
// made by the hub, shared by every outbox that it waits in, and never changed.
// The package knows the header of a WebSocket frame and nothing else of any
// transport; what the text says is the business of package protocol.
package frame

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// headroom is the longest header that a server's WebSocket frame has:
// two bytes and a 64-bit length.
const headroom = 10

// A Frame is one outbound message. Its bytes are read-only from the moment it
// is made, so it may be used from any goroutine and by any number of sockets.
type Frame struct {
	wire   []byte
	header int // length of the WebSocket header at the start of wire

	deflate  sync.Once
	deflated *Frame // set by deflate
}

// buffers are for building messages, which are as long as they are only then.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// keepBuffer is the largest buffer that is kept for the next message.
const keepBuffer = 64 << 10

// Text returns the frame of one text message. Build appends the message's
// text to the buffer that it is given and returns the result, like append. It
// must not keep the buffer.
func Text(build func(dst []byte) []byte) *Frame {
	buf := buffers.Get().(*[]byte)
	b := build(append((*buf)[:0], make([]byte, headroom)...))
	f := finish(b, 0x81)
	release(buf, b)
	return f
}

// finish makes a frame of the message behind the headroom of b, and of no more
// memory than it takes.
func finish(b []byte, first byte) *Frame {
	start := putHeader(b, first)
	return &Frame{wire: bytes.Clone(b[start:]), header: headroom - start}
}

// release puts a buffer back that has become b.
func release(buf *[]byte, b []byte) {
	if cap(b) <= keepBuffer {
		*buf = b
		buffers.Put(buf)
	}
}

// Control returns a WebSocket control frame, which only WebSocket transports
// send. The payload is at most 125 bytes and is copied.
func Control(opcode byte, payload []byte) *Frame {
	b := make([]byte, 2, 2+len(payload))
	b[0], b[1] = 0x80|opcode, byte(len(payload))
	return &Frame{wire: append(b, payload...), header: 2}
}

// Bytes returns a frame of bytes that leave as they are, for transports with a
// framing of their own. They must not be changed any more.
func Bytes(b []byte) *Frame { return &Frame{wire: b} }

// Wire returns the whole WebSocket frame, for writing as it is. The caller
// must not change it.
func (f *Frame) Wire() []byte { return f.wire }

// Message returns the frame's text without a header, for transports with a
// framing of their own. The caller must not change it, but for who has made the
// frame, until it is shared.
func (f *Frame) Message() []byte { return f.wire[f.header:] }

// Size is the length of the frame on the wire, in bytes.
func (f *Frame) Size() int { return len(f.wire) }

// Overhead is about what a frame costs beside its bytes: the Frame, the place
// in a queue, and what memory is rounded up by.
const Overhead = 96

// Cost is about how much memory the frame takes while it waits in a queue: what
// bounded queues count, since many small frames take more than their bytes.
func (f *Frame) Cost() int { return len(f.wire) + Overhead }

// putHeader writes the header for the message that follows the headroom, so
// that it ends where the message starts, and returns where it begins.
func putHeader(b []byte, first byte) (start int) {
	n := len(b) - headroom
	switch {
	case n < 126:
		start = headroom - 2
		b[start+1] = byte(n)
	case n < 1<<16:
		start = headroom - 4
		b[start+1] = 126
		binary.BigEndian.PutUint16(b[start+2:], uint16(n))
	default:
		start = 0
		b[start+1] = 127
		binary.BigEndian.PutUint64(b[start+2:], uint64(n))
	}
	b[start] = first
	return start
}
