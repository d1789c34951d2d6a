package frame

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsflate"
	"pgregory.net/rapid"
)

// inflated returns the message of a frame as another implementation reads it.
func inflated(t *rapid.T, f *Frame) string {
	got, err := readFrame(bytes.NewReader(f.Wire()))
	if err != nil {
		t.Fatalf("ReadFrame: %v", err)
	}
	if compressed, _ := wsflate.IsCompressed(got.Header); !compressed {
		return string(got.Payload)
	}
	got, err = wsflate.DecompressFrame(got)
	if err != nil {
		t.Fatalf("DecompressFrame: %v", err)
	}
	return string(got.Payload)
}

func TestDeflatedIsTheSameMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat(rapid.String().Draw(t, "text"), rapid.IntRange(0, 500).Draw(t, "times"))
		f := Text(func(dst []byte) []byte { return append(dst, text...) })
		if got := inflated(t, f.Deflated()); got != text {
			t.Errorf("Deflated of %q inflates to %q", text, got)
		}
		if f.Deflated().Size() > f.Size() {
			t.Errorf("Deflated is longer: %d > %d", f.Deflated().Size(), f.Size())
		}
	})
}

func TestDeflatedIsMadeOnce(t *testing.T) {
	f := Text(func(dst []byte) []byte { return append(dst, strings.Repeat("abc", 200)...) })
	first := f.Deflated()
	if first == f || f.Deflated() != first {
		t.Error("Deflated is the frame itself, or another each time")
	}
	if len(f.Deflated().Wire()) > 100 {
		t.Errorf("600 bytes of repetition deflate to %d", len(f.Deflated().Wire()))
	}
	if ping := Control(0x9, nil); ping.Deflated() != ping {
		t.Error("a control frame was compressed")
	}
}

func BenchmarkDeflated(b *testing.B) {
	text := bytes.Repeat([]byte(`{"price":12.5,"symbol":"ABC"}`), 10)
	b.ReportAllocs()
	for b.Loop() {
		Text(func(dst []byte) []byte { return append(dst, text...) }).Deflated()
	}
}
