package frame

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
)

// readFrame reads a frame as another implementation of the protocol does.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(r, payload)
	return ws.Frame{Header: h, Payload: payload}, err
}

// The header must be readable by an implementation that is not ours, at
// every length where its form changes.
func TestTextIsAWebSocketFrame(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 200000} {
		text := strings.Repeat("x", n)
		f := Text(func(dst []byte) []byte { return append(dst, text...) })
		r := bytes.NewReader(f.Wire())
		got, err := readFrame(r)
		if err != nil {
			t.Fatalf("ReadFrame of %d bytes: %v", n, err)
		}
		if got.Header.OpCode != ws.OpText || !got.Header.Fin || got.Header.Masked || string(got.Payload) != text {
			t.Errorf("Text of %d bytes = %+v with %d bytes, want a final unmasked text frame", n, got.Header, len(got.Payload))
		}
		if r.Len() != 0 || f.Size() != len(f.Wire()) {
			t.Errorf("Text of %d bytes: %d bytes follow the frame; Size() = %d, want %d", n, r.Len(), f.Size(), len(f.Wire()))
		}
		if string(f.Message()) != text {
			t.Errorf("Message() of %d bytes = %d other bytes", n, len(f.Message()))
		}
	}
}

// Bounded queues count what a frame costs, and a peer chooses how long frames
// are: no frame may take much more memory than that.
func TestFrameTakesNoMoreThanItCosts(t *testing.T) {
	const place = 2 * unsafe.Sizeof(&Frame{}) // in a queue that has just grown
	check := func(what string, f *Frame) {
		t.Helper()
		takes := int(unsafe.Sizeof(*f)+place) + cap(f.wire)
		if most := f.Cost() + f.Cost()/4; takes > most {
			t.Errorf("%s takes %d bytes of memory and is counted as %d", what, takes, f.Cost())
		}
	}
	for n := 0; n < 100_000; n += 1 + n/10 {
		text := strings.Repeat("x", n)
		f := Text(func(dst []byte) []byte { return append(dst, text...) })
		check(fmt.Sprintf("a text of %d bytes", n), f)
		check(fmt.Sprintf("a compressed text of %d bytes", n), f.Deflated())
		if n <= 125 {
			check(fmt.Sprintf("a control frame of %d bytes", n), Control(0xa, []byte(text)))
		}
	}
}

func TestControl(t *testing.T) {
	got, err := readFrame(bytes.NewReader(Control(0x9, []byte("abc")).Wire()))
	if err != nil || got.Header.OpCode != ws.OpPing || string(got.Payload) != "abc" {
		t.Errorf("Control(ping, abc) = %+v %q, %v", got.Header, got.Payload, err)
	}
}

func BenchmarkText(b *testing.B) {
	text := bytes.Repeat([]byte("x"), 180)
	b.ReportAllocs()
	for b.Loop() {
		Text(func(dst []byte) []byte { return append(dst, text...) })
	}
}
