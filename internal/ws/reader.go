package ws

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	finBit     = 0x80
	deflateBit = 0x40 // RSV1: the message is compressed
	rsvBits    = 0x30
	opcodeBits = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f

	maxControl = 125 // bytes of a control frame's payload
)

// A reader makes messages of the bytes of a client, which arrive in pieces of
// any size. It works in the memory that it is given: it keeps bytes of its own
// only for a frame or a message that is not complete. The zero reader is ready.
type reader struct {
	partial   []byte     // the beginning of a frame, or frames for the next turn
	fragments *fragments // of the message that is being read; nil when there is none
	inflation *inflation // nil: compression was not negotiated
}

// The fragments of a message are what has come of it so far.
type fragments struct {
	payload    []byte
	compressed bool
}

// A sink takes what a reader read. The slices are valid during the call.
type sink interface {
	onText(text []byte)
	onPing(payload []byte)
	onPong()
	// onClose is called with the code of a Close frame, or 0 if it had none.
	onClose(code protocol.CloseCode)
	// reading reports whether the sink wants more.
	reading() bool
}

// A header is that of one frame.
type header struct {
	first  byte
	size   int // of header and mask
	length int // of the payload
}

// read hands all that is complete in b to the sink, and changes b. It returns
// the code with which the connection has to be closed, or 0. No message may be
// longer than limit. If there is more to do than for one turn, read has to be
// called again in the next, perhaps with nothing.
func (r *reader) read(b []byte, limit int, to sink) (again bool, bad protocol.CloseCode) {
	work := 0
	if len(r.partial) > 0 {
		r.partial = append(r.partial, b...)
		b = r.partial
	}
	for to.reading() {
		h, bad := r.header(b, limit)
		if bad != 0 {
			return false, bad
		}
		if h.size == 0 || len(b) < h.size+h.length {
			break
		}
		payload := b[h.size : h.size+h.length]
		unmask(payload, b[h.size-4:h.size])
		inflated, bad := r.frame(h, payload, limit, to)
		if bad != 0 {
			return false, bad
		}
		b = b[h.size+h.length:]
		if work += inflated; work >= turnInflated {
			again = len(b) > 0
			break
		}
	}
	r.keep(b)
	return again, 0
}

// keep holds on to what was not read, which may be in partial already.
func (r *reader) keep(b []byte) {
	switch {
	case len(b) == 0:
		r.partial = nil
		return
	case len(b) == len(r.partial):
		return // is all of partial: nothing was complete
	}
	r.partial = append(r.partial[:0], b...)
}

// header reads the header at the start of b and checks all that can be checked
// before the payload is there. Its size is 0 when it is not complete.
func (r *reader) header(b []byte, limit int) (h header, bad protocol.CloseCode) {
	if len(b) < 2 {
		return header{}, 0
	}
	h.first = b[0]
	h.size, h.length = 2, int(b[1]&lengthBits)
	if bad := r.check(h.first, b[1]); bad != 0 {
		return header{}, bad
	}
	switch h.length {
	case 126:
		if len(b) < 4 {
			return header{}, 0
		}
		h.size, h.length = 4, int(binary.BigEndian.Uint16(b[2:]))
		if h.length < 126 {
			return header{}, protocol.CloseProtocol
		}
	case 127:
		if len(b) < 10 {
			return header{}, 0
		}
		n := binary.BigEndian.Uint64(b[2:])
		if n < 1<<16 || n >= 1<<63 {
			return header{}, protocol.CloseProtocol
		}
		h.size, h.length = 10, int(min(n, 1<<62))
	}
	if h.length > limit-r.collected() && h.first&opcodeBits < opClose {
		return header{}, protocol.CloseTooBig
	}
	h.size += 4
	if len(b) < h.size {
		return header{}, 0
	}
	return h, 0
}

// check checks the first two bytes of a frame.
func (r *reader) check(first, second byte) protocol.CloseCode {
	opcode := first & opcodeBits
	switch {
	case first&rsvBits != 0, second&maskBit == 0:
		return protocol.CloseProtocol
	case first&deflateBit != 0 && (r.inflation == nil || opcode != opText):
		return protocol.CloseProtocol
	case opcode >= opClose:
		if opcode > opPong || first&finBit == 0 || second&lengthBits > maxControl {
			return protocol.CloseProtocol
		}
	case opcode == opContinuation:
		if r.fragments == nil {
			return protocol.CloseProtocol
		}
	case opcode > opBinary || r.fragments != nil:
		return protocol.CloseProtocol
	case opcode == opBinary:
		return protocol.CloseUnsupported
	}
	return 0
}

// collected is how much of a fragmented message has come.
func (r *reader) collected() int {
	if r.fragments == nil {
		return 0
	}
	return len(r.fragments.payload)
}

// frame takes one frame, unmasked, and returns what it was to inflate it, in
// bytes.
func (r *reader) frame(h header, payload []byte, limit int, to sink) (inflated int, bad protocol.CloseCode) {
	switch h.first & opcodeBits {
	case opPing:
		to.onPing(payload)
	case opPong:
		to.onPong()
	case opClose:
		return 0, closeFrame(payload, to)
	default:
		return r.data(h, payload, limit, to)
	}
	return 0, 0
}

// data takes a frame of a text message, which may be all of it.
func (r *reader) data(h header, payload []byte, limit int, to sink) (inflated int, bad protocol.CloseCode) {
	compressed := h.first&deflateBit != 0
	if f := r.fragments; f != nil {
		f.payload = append(f.payload, payload...)
		payload, compressed = f.payload, f.compressed
	}
	if h.first&finBit == 0 {
		if r.fragments == nil {
			r.fragments = &fragments{bytes.Clone(payload), compressed}
		}
		return 0, 0
	}
	r.fragments = nil
	if compressed {
		return r.inflation.message(payload, limit, func(text []byte) protocol.CloseCode { return message(text, to) })
	}
	return 0, message(payload, to)
}

// message takes the text of one message.
func message(text []byte, to sink) protocol.CloseCode {
	if !utf8.Valid(text) {
		return protocol.CloseInvalidText
	}
	to.onText(text)
	return 0
}

// closeFrame checks the payload of a Close frame (RFC 6455, section 7.4).
func closeFrame(payload []byte, to sink) protocol.CloseCode {
	if len(payload) == 0 {
		to.onClose(0)
		return 0
	}
	if len(payload) == 1 {
		return protocol.CloseProtocol
	}
	code := int(binary.BigEndian.Uint16(payload))
	valid := 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
	if !valid {
		return protocol.CloseProtocol
	}
	if !utf8.Valid(payload[2:]) {
		return protocol.CloseInvalidText
	}
	to.onClose(protocol.CloseCode(code))
	return 0
}

// unmask undoes the masking of a client's payload, eight bytes at a time.
func unmask(b, mask []byte) {
	key := binary.LittleEndian.Uint32(mask)
	if key == 0 {
		return
	}
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= mask[i&3]
	}
}
