package fallback

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// A line is one frame of the transports, as it stands in a stream: a letter,
// JSON, and a newline, which is never a carriage return as well. Its bytes are
// read-only and may be shared.
type line struct {
	text  []byte
	units int          // UTF-16 code units, which clients count
	piece *frame.Frame // the line as a piece of a chunked response, or nil: see framed
}

// Lines that say nothing of their own.
var (
	openLine  = newLine([]byte("o\n")).framed()
	emptyLine = newLine([]byte("a[]\n")).framed() // activity, without an answer
	beatLine  = newLine([]byte("h\n")).framed()   // activity that asks for a sign of life
)

// openAt is the line that opens a session and moves it to another host.
func openAt(hostname string) line {
	if hostname == "" {
		return openLine
	}
	text := append([]byte(`o{"hostname":`), rawjson.AppendString(nil, hostname)...)
	return newLine(append(text, "}\n"...))
}

// closeLine is the line that ends a session.
func closeLine(why *protocol.Error) line {
	text := append([]byte("c["), mustJSON(int(why.Code))...)
	text = append(text, ',')
	text = rawjson.AppendString(text, why.Message)
	return newLine(append(text, "]\n"...))
}

// messageLine is the line of one message.
func messageLine(f *frame.Frame) line {
	message := f.Message()
	text := append(make([]byte, 0, len(message)+len(message)/4+16), "a["...)
	text = rawjson.AppendQuoted(text, message)
	return newLine(append(text, "]\n"...))
}

// element is the message of a line, as it stands in the line's array.
func (l line) element() []byte { return l.text[len("a[") : len(l.text)-len("]\n")] }

func newLine(text []byte) line { return line{text: text, units: units(text)} }

// framed is the line with its piece.
func (l line) framed() line {
	if l.piece == nil {
		l.piece = frame.Bytes(appendPiece(nil, l.text))
	}
	return l
}

// appendPiece appends text as a piece of a chunked response (RFC 9112, 7.1).
func appendPiece(dst, text []byte) []byte {
	dst = slices.Grow(dst, len(text)+len("ffffffff\r\n\r\n"))
	dst = append(strconv.AppendInt(dst, int64(len(text)), 16), "\r\n"...)
	return append(append(dst, text...), "\r\n"...)
}

// units is the length of valid UTF-8 in UTF-16 code units: one for each rune,
// and one more for those outside the basic plane.
func units(text []byte) int {
	n := 0
	for _, b := range text {
		if b&0xc0 != 0x80 {
			n++
		}
		if b >= 0xf0 {
			n++
		}
	}
	return n
}

// encoderSize is how many lines a loop remembers: enough for the frames of a
// turn that many sessions get, few enough to look through.
const encoderSize = 8

// An encoder makes lines of frames, each once while it goes to the sessions of
// one loop, which alone uses the encoder.
type encoder struct {
	frames [encoderSize]*frame.Frame
	lines  [encoderSize]line
	next   int
	_      [64]byte // loops do not share a cache line
}

func (e *encoder) line(f *frame.Frame) *line {
	for i, known := range e.frames {
		if known == f {
			return &e.lines[i]
		}
	}
	l := &e.lines[e.next]
	e.frames[e.next], *l = f, messageLine(f)
	e.next = (e.next + 1) % encoderSize
	return l
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a mistake of our own
	}
	return text
}
