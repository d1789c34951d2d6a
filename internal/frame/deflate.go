package frame

import (
	"bytes"

	"github.com/klauspost/compress/flate"
)

// deflateFrom is the shortest message that is worth compressing, in bytes:
// below it the compressed form is hardly shorter.
const deflateFrom = 128

// flushMark ends what a flushed compressor wrote. It does not travel (RFC 7692,
// section 7.2.1).
var flushMark = []byte{0x00, 0x00, 0xff, 0xff}

// Deflated returns the frame as a connection that has negotiated
// permessage-deflate without context takeover gets it. It is made once,
// whoever asks, and is f itself where compressing does not make it shorter.
func (f *Frame) Deflated() *Frame {
	f.deflate.Do(func() {
		f.deflated = f
		if f.wire[0]&0x0f != 0x1 || len(f.Message()) < deflateFrom {
			return
		}
		if c := deflate(f.Message()); c != nil && c.Size() < f.Size() {
			f.deflated = c
		}
	})
	return f.deflated
}

// deflate returns the compressed frame of a text message, or nil.
func deflate(message []byte) *Frame {
	buf := buffers.Get().(*[]byte)
	out := bytes.NewBuffer(append((*buf)[:0], make([]byte, headroom)...))
	defer func() { release(buf, out.Bytes()) }()
	if flate.StatelessDeflate(out, message, false, nil) != nil {
		return nil
	}
	b, ok := bytes.CutSuffix(out.Bytes(), flushMark)
	if !ok {
		return nil
	}
	return finish(b, 0xc1)
}
