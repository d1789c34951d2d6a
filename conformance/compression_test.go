package conformance

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// An inflater undoes permessage-deflate (RFC 7692) on what a server sends. It
// keeps the window that a server may go on from.
type inflater struct{ window []byte }

// message returns a message that was compressed.
func (f *inflater) message(payload []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), f.window)
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: inflate: %w", errFraming, err)
	}
	const most = 32 << 10
	f.window = append(f.window, text...)
	f.window = f.window[max(0, len(f.window)-most):]
	return text, nil
}

// deflated compresses a message by itself, as every client may.
func deflated(text string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // the suite's own mistake
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

var rsv1 = ws.Rsv(true, false, false)

// sendDeflated sends one text message, compressed.
func (c *conn) sendDeflated(text string) {
	c.t.Helper()
	c.last = text
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsv1}, deflated(text))
}

// compressing opens a connection that has negotiated compression, as the
// offer of a browser asks for it.
func (a *app) compressing(t *testing.T) *conn {
	t.Helper()
	c := a.connectWith(t, dialing{headers: []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}})
	if c.inflate == nil {
		skip(t, "needs a server that negotiates permessage-deflate, which is optional")
	}
	return c
}

// TestCompression checks permessage-deflate where the server offers it. What
// is said in the frames is the same with it and without.
func TestCompression(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *app){
		"session":             testCompressedSession,
		"window":              testWindowOffered,
		"beside_uncompressed": testBesideUncompressed,
		"fragments":           testCompressedFragments,
		"bomb":                testCompressionBomb,
		"broken":              testCompressionBroken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := target.external // which may or may not compress
			if a == nil {
				a = fixture(t, compressed)
			}
			test(t, a)
			a.alive(t)
		})
	}
}

func testCompressedSession(t *testing.T, a *app) {
	c := a.compressing(t)
	channel := unique("news")
	c.sendDeflated(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`)
	c.expect("pusher_internal:subscription_succeeded", channel, "{}")
	c.sendText(pingText) // a message need not be compressed
	c.expect("pusher:pong", "", "{}")
	for _, data := range []string{"", "short", strings.Repeat("x", 10240), strings.Repeat(`{"a":"é😀<&>"},`, 500), strings.Repeat("x", 10240)} {
		a.publish(t, channel, "e", data)
		c.expect("e", channel, data)
	}
	c.sendDeflated("")
	c.expectErrorText("Received invalid JSON")
	c.sendDeflated("not json")
	c.expectErrorText("Received invalid JSON")
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, []byte("abc"))
	c.open()
	c.hangUp()
}

// testWindowOffered offers windows as libraries do that insist on an answer.
func testWindowOffered(t *testing.T, a *app) {
	offer := func(extensions string) string {
		c := a.connectWith(t, dialing{headers: []string{"Sec-WebSocket-Extensions: " + extensions}})
		c.open()
		return strings.ReplaceAll(c.header.Get("Sec-WebSocket-Extensions"), " ", "")
	}
	if offer("permessage-deflate") == "" {
		skip(t, "needs a server that negotiates permessage-deflate, which is optional")
	}
	for _, extensions := range []string{
		"permessage-deflate; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=15; client_max_window_bits=15, permessage-deflate",
	} {
		if got := offer(extensions); !strings.Contains(got+";", ";server_max_window_bits=15;") {
			t.Errorf("offer %q is answered with %q, want server_max_window_bits=15 in it (RFC 7692, 7.1.2.1)", extensions, got)
		}
	}
	if got := offer("permessage-deflate; server_max_window_bits=16, permessage-deflate"); got == "" || strings.Contains(got, "server_max_window_bits") {
		t.Errorf("an offer behind a malformed one is answered with %q, want it taken", got)
	}
}

// testBesideUncompressed has one event go to clients with and without
// compression; the reader of the latter takes no compressed frame.
func testBesideUncompressed(t *testing.T, a *app) {
	with, without, again := a.compressing(t), a.connect(t), a.compressing(t)
	channel := unique("news")
	data := strings.Repeat("0123456789 ", 900)
	for _, c := range []*conn{with, without, again} {
		c.subscribe(channel)
	}
	for range 20 {
		a.publish(t, channel, "e", data)
		for _, c := range []*conn{with, without, again} {
			c.expect("e", channel, data)
		}
	}
}

func testCompressedFragments(t *testing.T, a *app) {
	c := a.compressing(t)
	payload := deflated(`{"event":"pusher:ping","data":"` + strings.Repeat("é", 100) + `"}`)
	c.writeFrame(ws.Header{OpCode: ws.OpText, Rsv: rsv1}, payload[:1])
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, []byte("between"))
	c.writeFrame(ws.Header{OpCode: ws.OpContinuation}, payload[1:7])
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, payload[7:])
	c.expect("pusher:pong", "", "{}")
	c.open()
	c.sendDeflated(paddedPing(maxMessageSize)) // the limit is on what comes out
	c.expect("pusher:pong", "", "{}")
}

func testCompressionBomb(t *testing.T, a *app) {
	for _, size := range []int{maxMessageSize + 1, 64 << 20} {
		bomb := deflated(paddedPing(size))
		c := a.compressing(t)
		c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsv1}, bomb)
		c.expectClose(1009)
	}
}

func testCompressionBroken(t *testing.T, a *app) {
	for name, frames := range map[string][]byte{
		"bit on a control frame": frameBytes(ws.Header{Fin: true, OpCode: ws.OpPing, Rsv: rsv1}, deflated("x")),
		"bit on a continuation": append(frameBytes(ws.Header{OpCode: ws.OpText}, []byte(`{"event":`)),
			frameBytes(ws.Header{Fin: true, OpCode: ws.OpContinuation, Rsv: rsv1}, deflated(`"pusher:ping"}`))...),
		"other reserved bits": frameBytes(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsv1 | ws.Rsv(false, true, false)}, deflated(pingText)),
		"no deflate data":     frameBytes(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsv1}, []byte("\xff\xff\xff\xff\xff")),
		"not UTF-8 inside":    frameBytes(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsv1}, deflated("{\"event\":\"\xff\"}")),
	} {
		c := a.compressing(t)
		c.last = name
		c.sendBytes(frames)
		_, err := c.read(patience)
		if code := closeCode(err); code != 1002 && code != 1007 {
			t.Errorf("%s: %v, want closed 1002 or 1007", name, err)
		}
	}
}
