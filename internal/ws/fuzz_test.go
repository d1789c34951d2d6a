package ws

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/protocol"
)

// A verdict is what came of a stream of bytes.
type verdict int

const (
	fine      verdict = iota // all of it was read, or an end was
	refused                  // the connection has to be closed
	undecided                // the bytes end within a frame
)

// reference reads the same as a reader does, by the means of another
// implementation, and with all bytes at hand.
func reference(b []byte, limit int) (got []string, _ verdict) {
	in := bytes.NewReader(b)
	state := ws.StateServerSide
	var message []byte
	for in.Len() > 0 {
		before := in.Len()
		h, err := ws.ReadHeader(in)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return got, undecided
		case err != nil, ws.CheckHeader(h, state) != nil, before-in.Len() != ws.HeaderSize(h), h.OpCode == ws.OpBinary:
			return got, refused
		case !h.OpCode.IsControl() && h.Length > int64(limit-len(message)):
			return got, refused
		case h.Length > int64(in.Len()):
			return got, undecided
		}
		payload := make([]byte, h.Length)
		in.Read(payload)
		ws.Cipher(payload, h.Mask, 0)
		var c collector
		switch h.OpCode {
		case ws.OpPing:
			c.onPing(payload)
		case ws.OpPong:
			c.onPong()
		case ws.OpClose:
			if !referenceClose(payload, &c) {
				return got, refused
			}
			return append(got, c.got...), fine
		default:
			message = append(message, payload...)
			state = state.Set(ws.StateFragmented)
			if h.Fin {
				if text := wsutil.NewUTF8Reader(bytes.NewReader(message)); !readsAll(text) {
					return got, refused
				}
				c.onText(message)
				message, state = nil, ws.StateServerSide
			}
		}
		got = append(got, c.got...)
	}
	return got, fine
}

func readsAll(r *wsutil.UTF8Reader) bool {
	_, err := io.ReadAll(r)
	return err == nil && r.Valid()
}

func referenceClose(payload []byte, c *collector) bool {
	code, reason := ws.ParseCloseFrameData(payload)
	switch {
	case len(payload) == 0:
		c.onClose(0)
		return true
	case len(payload) == 1 || code > 4999:
		return false
	case 1012 <= code && code <= 1014: // registered after that implementation was made
		code = 1011
	}
	if ws.CheckCloseFrameData(code, reason) != nil {
		return false
	}
	code, _ = ws.ParseCloseFrameData(payload)
	c.onClose(protocol.CloseCode(code))
	return true
}

func FuzzReader(f *testing.F) {
	for _, tt := range readerCases() {
		if len(tt.in) < 1000 {
			f.Add(tt.in, uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		const limit = 300
		want, verdict := reference(in, limit)
		pieces := rand.New(rand.NewPCG(seed, 0))
		var c collector
		r := new(reader)
		bad := false
		for b := in; len(b) > 0 && !bad && !c.stop; {
			n := 1 + pieces.IntN(min(len(b), 40))
			_, code := r.read(bytes.Clone(b[:n]), limit, &c)
			bad = code != 0
			b = b[n:]
		}
		if !slices.Equal(c.got, want) {
			t.Errorf("the reader read %q, want %q", c.got, want)
		}
		if verdict != undecided && bad != (verdict == refused) {
			t.Errorf("the reader refused: %t, want %t", bad, !bad)
		}
		if !bad && len(r.partial)+r.collected() > limit+2*ws.MaxHeaderSize+maxControl {
			t.Errorf("the reader keeps %d and %d bytes, more than any message has", len(r.partial), r.collected())
		}
	})
}

// What was compressed comes back, and what is anything else ends in time and
// within the limit.
func FuzzInflate(f *testing.F) {
	for _, s := range []string{"", "hello", strings.Repeat("ab", 500), "\xff\xff", "\x00\x00\x00\xff\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 2000
		z := inflaters.Get().(*inflater)
		defer inflaters.Put(z)
		if text, bad := z.inflate(bytes.Clone(b), limit); len(text) > limit || bad != nil && text != nil {
			t.Errorf("inflate of %q = %d bytes and %v, want at most %d, or an error", b, len(text), bad, limit)
		}
		compressed, err := wsflate.CompressFrame(ws.NewTextFrame(b))
		if err != nil {
			t.Fatal(err)
		}
		text, bad := z.inflate(compressed.Payload, limit)
		if len(b) <= limit && (bad != nil || !bytes.Equal(text, b)) || len(b) > limit && bad == nil {
			t.Errorf("inflate of %q, compressed, = %q and %v", b, text, bad)
		}
	})
}
