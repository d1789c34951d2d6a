package ws

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

// A void is a sink that keeps nothing.
type void struct{}

func (void) onText([]byte)              {}
func (void) onPing([]byte)              {}
func (void) onPong()                    {}
func (void) onClose(protocol.CloseCode) {}
func (void) reading() bool              { return true }

func BenchmarkReader(b *testing.B) {
	message := sent(fin|opText, `{"event":"client-typing","channel":"presence-room","data":{"on":true}}`)
	for _, many := range []int{1, 20} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			in := bytes.Repeat(message, many)
			buf := make([]byte, len(in))
			var r reader
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				copy(buf, in)
				if _, code := r.read(buf, DefaultMaxMessageSize, void{}); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}

// What it is to inflate a message should be in proportion to what the turn and
// the client's allowance are charged for it.
func BenchmarkInflate(b *testing.B) {
	for name, text := range map[string]string{
		"tiny":        `{}`,
		"event":       `{"event":"client-typing","channel":"presence-room","data":{"on":true}}`,
		"white space": `{"event":"pusher:pong"` + strings.Repeat(" ", DefaultMaxMessageSize-30) + `}`,
	} {
		b.Run(name, func(b *testing.B) {
			in := compressedFrame(b, text)
			buf := make([]byte, len(in))
			r := inflating(DefaultMaxMessageSize)
			b.ReportAllocs()
			b.SetBytes(int64(len(text) + messageCost))
			for b.Loop() {
				copy(buf, in)
				r.inflation.left = allowance * DefaultMaxMessageSize
				if _, code := r.read(buf, DefaultMaxMessageSize, void{}); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}

// A message that comes in two pieces has to be kept.
func BenchmarkReaderInPieces(b *testing.B) {
	message := sent(fin|opText, `{"event":"client-typing","channel":"presence-room","data":{"on":true}}`)
	buf := make([]byte, len(message))
	var r reader
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, message)
		r.read(buf[:30], DefaultMaxMessageSize, void{})
		r.read(buf[30:], DefaultMaxMessageSize, void{})
	}
}
