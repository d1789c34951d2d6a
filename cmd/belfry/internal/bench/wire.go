package bench

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
)

// Opcodes of WebSocket frames.
const (
	opContinuation = 0
	opText         = 1
	opClose        = 8
	opPing         = 9
	opPong         = 10

	finalBit = 0x80
	maskBit  = 0x80
	opMask   = 0x0f
)

// maxMessage is more than any service sends in one message.
const maxMessage = 64 << 20

var (
	errMasked  = errors.New("the service sent a masked frame")
	errTooLong = errors.New("the service sent a message above 64 MiB")
)

// A frameHeader is the beginning of a frame from the service.
type frameHeader struct {
	opcode byte
	final  bool
	size   int // of the header
	length int // of the payload
}

// parseHeader reads the header at the beginning of b. If b is too short for
// it, the size is zero and length how many bytes of b it takes to go on.
func parseHeader(b []byte) (frameHeader, error) {
	if len(b) < 2 {
		return frameHeader{length: 2}, nil
	}
	if b[1]&maskBit != 0 {
		return frameHeader{}, errMasked
	}
	h := frameHeader{opcode: b[0] & opMask, final: b[0]&finalBit != 0, size: 2, length: int(b[1])}
	switch h.length {
	case 126:
		if len(b) < 4 {
			return frameHeader{length: 4}, nil
		}
		h.size, h.length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return frameHeader{length: 10}, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxMessage {
			return frameHeader{}, errTooLong
		}
		h.size, h.length = 10, int(long)
	}
	return h, nil
}

// appendFrame appends a frame as clients send it, masked.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, opcode|finalBit)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n)|maskBit)
	case n < 1<<16:
		dst = append(dst, 126|maskBit, byte(n>>8), byte(n))
	default:
		dst = append(dst, 127|maskBit)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	key := rand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

func mask(b []byte, key uint32) {
	double := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^double)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// A reassembly cuts a stream of bytes into messages and control frames. What
// is whole is handed on where it lies; only what is not whole yet is copied.
type reassembly struct {
	partial []byte // the beginning of a frame
	message []byte // the fragments of a message
}

// take hands every frame that is whole to each: messages under their opcode,
// and control frames. The payload is valid during the call.
func (r *reassembly) take(b []byte, each func(opcode byte, payload []byte) error) error {
	for len(b) > 0 {
		frame := b
		if len(r.partial) > 0 {
			more, err := r.complete(b)
			if err != nil {
				return err
			}
			b, frame = b[more:], r.partial
		}
		h, err := parseHeader(frame)
		if err != nil {
			return err
		}
		whole := h.size > 0 && len(frame) >= h.size+h.length
		switch {
		case whole && len(r.partial) == 0:
			b = b[h.size+h.length:]
		case whole:
			r.partial = r.partial[:0]
		case len(r.partial) == 0:
			r.partial = append(r.partial, frame...)
			return nil
		default: // partial has all there is
			continue
		}
		if err := r.whole(h, frame[h.size:h.size+h.length], each); err != nil {
			return err
		}
	}
	return nil
}

// complete appends as much of b to partial as its frame, or the header of it,
// still takes, and returns how much that was.
func (r *reassembly) complete(b []byte) (int, error) {
	h, err := parseHeader(r.partial)
	if err != nil {
		return 0, err
	}
	n := min(len(b), h.size+h.length-len(r.partial))
	r.partial = append(r.partial, b[:n]...)
	return n, nil
}

// whole handles a frame.
func (r *reassembly) whole(h frameHeader, payload []byte, each func(opcode byte, payload []byte) error) error {
	switch {
	case h.opcode >= opClose, h.opcode != opContinuation && h.final:
		return each(h.opcode, payload)
	case len(r.message)+len(payload) > maxMessage:
		return errTooLong
	}
	r.message = append(r.message, payload...)
	if !h.final {
		return nil
	}
	defer func() { r.message = r.message[:0] }()
	return each(opText, r.message)
}
