package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"pgregory.net/rapid"
)

// serverFrame is a frame as a server sends it, made by another implementation.
func serverFrame(op ws.OpCode, final bool, payload []byte) []byte {
	b, err := ws.CompileFrame(ws.NewFrame(op, final, payload))
	if err != nil {
		panic(err)
	}
	return b
}

// However the bytes are cut, the messages are the same.
func TestReassemblyDoesNotDependOnTheCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		size := rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(120, 130), rapid.IntRange(65530, 65540))
		for i := range rapid.IntRange(0, 5).Draw(t, "messages") {
			payload := bytes.Repeat([]byte{byte('a' + i)}, size.Draw(t, "size"))
			want = append(want, fmt.Sprintf("%d %s", opText, payload))
			switch cut := rapid.IntRange(0, 2).Draw(t, "fragments"); cut {
			case 0:
				stream = append(stream, serverFrame(ws.OpText, true, payload)...)
			default: // in two or three fragments, with a ping between them
				n := len(payload) / (cut + 1)
				stream = append(stream, serverFrame(ws.OpText, false, payload[:n])...)
				stream = append(stream, serverFrame(ws.OpPing, true, []byte("p"))...)
				want = slices.Insert(want, len(want)-1, fmt.Sprintf("%d p", opPing))
				if cut == 2 {
					stream = append(stream, serverFrame(ws.OpContinuation, false, payload[n:2*n])...)
				}
				stream = append(stream, serverFrame(ws.OpContinuation, true, payload[n*cut:])...)
			}
		}
		var got []string
		var r reassembly
		for len(stream) > 0 {
			n := min(len(stream), rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(1, 70000)).Draw(t, "cut"))
			chunk := bytes.Clone(stream[:n])
			err := r.take(chunk, func(opcode byte, payload []byte) error {
				got = append(got, fmt.Sprintf("%d %s", opcode, payload))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			clear(chunk) // what is kept must be a copy
			stream = stream[n:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d messages %.200q, want %d %.200q", len(got), got, len(want), want)
		}
	})
}

func TestReassemblyRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		stream []byte
		want   error
	}{
		"a masked frame":     {[]byte{0x81, 0x81, 0, 0, 0, 0, 'a'}, errMasked},
		"an endless message": {[]byte{0x81, 127, 0x7f, 0, 0, 0, 0, 0, 0, 0}, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			var r reassembly
			err := r.take(test.stream, func(byte, []byte) error { return nil })
			if !errors.Is(err, test.want) {
				t.Errorf("take = %v, want %v", err, test.want)
			}
		})
	}
}

// What we send is what another implementation reads.
func TestFramesAreReadable(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), size)
		got, op, err := wsutil.ReadClientData(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(appendFrame(nil, opText, payload)), io.Discard})
		if err != nil || op != ws.OpText || !bytes.Equal(got, payload) {
			t.Errorf("a frame of %d bytes reads as %v, %d bytes, %v", size, op, len(got), err)
		}
	}
}

func TestStampsSurviveEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := stamp{rapid.IntRange(0, 1e6).Draw(t, "channel"), rapid.IntRange(0, 1e6).Draw(t, "stream"),
			rapid.Uint64().Draw(t, "number"), rapid.Int64Range(0, 1<<62).Draw(t, "intended")}
		size := rapid.IntRange(0, 500).Draw(t, "size")
		object, literal := want.appendObject(nil, size), want.appendLiteral(nil, size)
		for _, text := range [][]byte{object, literal, fmt.Appendf(nil, "%q", literal)} {
			if got, ok := findStamp(text); !ok || got != want {
				t.Fatalf("findStamp(%s) = %+v, %t, want %+v", text, got, ok, want)
			}
		}
		if least := len(want.appendObject(nil, 0)); len(object) != max(size, least) {
			t.Fatalf("data of %d bytes has %d, and it needs %d at least", size, len(object), least)
		}
	})
}

func TestNoStamp(t *testing.T) {
	for _, text := range []string{"", "@", "@@", "@@1.2.3.4", "@@1.2.3|", "@@1.2.3.4.5|", "@@a|", "@@1.2.3.-4|"} {
		if s, ok := findStamp([]byte(text)); ok {
			t.Errorf("findStamp(%q) = %+v, want none", text, s)
		}
	}
}
