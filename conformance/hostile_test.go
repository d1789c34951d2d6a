package conformance

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestHostile does what broken or malicious peers do. The answer is what the
// reference or RFC 6455 asks for; above all the server goes on serving others.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T){
		"unmasked_frame":             testUnmaskedFrame,
		"reserved_bits":              testReservedBits,
		"reserved_opcodes":           testReservedOpcodes,
		"broken_control_frames":      testBrokenControlFrames,
		"broken_fragmentation":       testBrokenFragmentation,
		"close_payloads":             testClosePayloads,
		"frames_after_close":         testFramesAfterClose,
		"length_announced":           testLengthAnnounced,
		"reset_inside_a_frame":       testResetInsideAFrame,
		"half_closed":                testHalfClosed,
		"byte_by_byte":               testByteByByte,
		"rune_across_fragments":      testRuneAcrossFragments,
		"flood_of_pings":             testFloodOfPings,
		"flood_of_errors":            testFloodOfErrors,
		"burst_of_subscriptions":     testBurstOfSubscriptions,
		"truncated_json":             testTruncatedJSON,
		"deep_json":                  testDeepJSON,
		"duplicate_members":          testDuplicateMembers,
		"lone_surrogates":            testLoneSurrogates,
		"long_echo":                  testLongEcho,
		"frames_before_101":          testFramesBefore101,
		"extension_offered":          testExtensionOffered,
		"odd_paths":                  testOddPaths,
		"odd_upgrades":               testOddUpgrades,
		"oversized_upgrade":          testOversizedUpgrade,
		"upgrade_never_ends":         testUpgradeNeverEnds,
		"http_raw_requests":          testRawRequests,
		"http_oversized_requests":    testOversizedRequests,
		"http_deep_json":             testHTTPDeepJSON,
		"http_duplicates":            testHTTPDuplicates,
		"http_odd_bodies":            testHTTPOddBodies,
		"http_body_cut_short":        testBodyCutShort,
		"http_pipelined":             testPipelined,
		"http_1_0":                   testHTTP10,
		"tls_hello_on_plain_port":    testTLSHelloOnPlainPort,
		"random_bytes_after_upgrade": testRandomBytes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
			fixture(t, plain).alive(t)
		})
	}
}

// alive requires that a new client is served.
func (a *app) alive(t *testing.T) {
	t.Helper()
	c := a.connect(t)
	channel := unique("alive")
	c.subscribe(channel)
	a.publish(t, channel, "e", "D")
	c.expect("e", channel, "D")
}

// breaks requires that bytes below the framing end the connection with one of
// the codes.
func (a *app) breaks(t *testing.T, name string, raw []byte, codes ...int) {
	t.Helper()
	c := a.connect(t)
	c.last = name
	_, _ = c.net.Write(raw) // the server may close before it is all written
	m, err := c.read(patience)
	closing, ok := errors.AsType[*closeError](err)
	if !ok {
		t.Errorf("%s: next frame = %v, %v, want closed %v", name, m, err, codes)
		return
	}
	for _, code := range codes {
		if closing.code == code {
			t.Cleanup(c.gone)
			return
		}
	}
	t.Errorf("%s: %v, want closed %v", name, closing, codes)
}

const pingText = `{"event":"pusher:ping"}`

func testUnmaskedFrame(t *testing.T) {
	a := fixture(t, plain)
	a.breaks(t, "unmasked text", ws.MustCompileFrame(ws.NewTextFrame([]byte(pingText))), 1002)
	a.breaks(t, "unmasked ping", ws.MustCompileFrame(ws.NewPingFrame(nil)), 1002)
}

func testReservedBits(t *testing.T) {
	a := fixture(t, plain)
	for _, rsv := range []byte{1, 2, 4, 7} {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpPing} {
			raw := frameBytes(ws.Header{Fin: true, OpCode: op, Rsv: rsv}, []byte(pingText))
			a.breaks(t, fmt.Sprintf("opcode %#x with reserved bits %03b", op, rsv), raw, 1002)
		}
	}
}

func testReservedOpcodes(t *testing.T) {
	a := fixture(t, plain)
	for _, op := range []ws.OpCode{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		a.breaks(t, fmt.Sprintf("opcode %#x", op), frameBytes(ws.Header{Fin: true, OpCode: op}, []byte(pingText)), 1002)
	}
}

func testBrokenControlFrames(t *testing.T) {
	a := fixture(t, plain)
	for _, op := range []ws.OpCode{ws.OpPing, ws.OpPong, ws.OpClose} {
		long := frameBytes(ws.Header{Fin: true, OpCode: op}, bytes.Repeat([]byte{'x'}, 126))
		a.breaks(t, fmt.Sprintf("control opcode %#x of 126 bytes", op), long, 1002)
		a.breaks(t, fmt.Sprintf("control opcode %#x in fragments", op), frameBytes(ws.Header{OpCode: op}, []byte{3, 232}), 1002)
	}
	c := a.connect(t)
	payload := strings.Repeat("x", 125)
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, []byte(payload))
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, nil)
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPong}, []byte("unasked"))
	c.open()
	if len(c.pongs) == 0 || c.pongs[0] != payload {
		t.Errorf("payloads of control Pongs = %q, want one of 125 bytes first", c.pongs)
	}
}

func testBrokenFragmentation(t *testing.T) {
	a := fixture(t, plain)
	start := frameBytes(ws.Header{OpCode: ws.OpText}, []byte(`{"event":`))
	a.breaks(t, "continuation of nothing", frameBytes(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(pingText)), 1002)
	a.breaks(t, "text inside a message", append(bytes.Clone(start), textFrame(pingText)...), 1002)
	binaryFrame := frameBytes(ws.Header{Fin: true, OpCode: ws.OpBinary}, nil)
	a.breaks(t, "binary inside a message", append(bytes.Clone(start), binaryFrame...), 1002, 1003)
	var flood []byte
	for range 10_000 {
		flood = append(flood, frameBytes(ws.Header{OpCode: ws.OpContinuation}, nil)...)
	}
	c := a.connect(t)
	c.sendBytes(start)
	c.sendBytes(flood) // empty fragments are legal
	c.sendBytes(frameBytes(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(`"pusher:ping"}`)))
	c.expect("pusher:pong", "", "{}")
}

func testClosePayloads(t *testing.T) {
	a := fixture(t, plain)
	frame := func(payload []byte) []byte { return frameBytes(ws.Header{Fin: true, OpCode: ws.OpClose}, payload) }
	a.breaks(t, "Close with one byte", frame([]byte{3}), 1002)
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 5000, 65535} {
		a.breaks(t, fmt.Sprintf("Close %d", code), frame(binary.BigEndian.AppendUint16(nil, code)), 1002)
	}
	a.breaks(t, "Close with a reason that is not UTF-8", frame([]byte{3, 232, 0xff}), 1007, 1002)
	a.breaks(t, "Close 1000", frame([]byte{3, 232}), 1000)
	a.breaks(t, "Close 4999", frame(binary.BigEndian.AppendUint16(nil, 4999)), 4999, 1000)
	a.breaks(t, "Close without code", frame(nil), 0, 1000, 1005)
}

func testFramesAfterClose(t *testing.T) {
	a := fixture(t, plain)
	channel := unique("news")
	raw := frameBytes(ws.Header{Fin: true, OpCode: ws.OpClose}, []byte{3, 232})
	raw = append(raw, textFrame(`{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)...)
	a.breaks(t, "a subscribe after Close", raw, 1000)
	if a.occupied(t, channel) {
		t.Errorf("channel %s is occupied by a socket that had closed", channel)
	}
}

// testLengthAnnounced sends headers only: the length alone is reason enough.
func testLengthAnnounced(t *testing.T) {
	a := fixture(t, plain)
	for _, length := range []int64{maxMessageSize + 1, 1 << 32, 1<<63 - 1} {
		var raw writerOf
		h := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: length}
		if err := ws.WriteHeader(&raw, h); err != nil {
			t.Fatal(err)
		}
		a.breaks(t, fmt.Sprintf("header of a message of %d bytes", length), raw, 1009)
	}
	negative := append([]byte{0x81, 0xff}, bytes.Repeat([]byte{0xff}, 12)...)
	a.breaks(t, "header with the highest bit of the length set", negative, 1002, 1009)
}

// reset drops the connection with a RST in place of a FIN.
func (c *conn) reset() {
	c.t.Helper()
	if tcp, ok := c.net.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.net.Close()
}

func testResetInsideAFrame(t *testing.T) {
	a := fixture(t, plain)
	watcher := a.connect(t)
	channel := unique("presence-r")
	watcher.join(channel, `{"user_id":"w"}`)
	for _, cut := range []int{1, 2, 5, 10} {
		c := a.connect(t)
		c.join(channel, `{"user_id":"c"}`)
		watcher.expect("pusher_internal:member_added", channel, `{"user_id":"c"}`)
		c.sendBytes(textFrame(pingText)[:cut])
		c.reset()
		watcher.expect("pusher_internal:member_removed", channel, `{"user_id":"c"}`)
	}
}

func testHalfClosed(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	tcp, ok := c.net.(*net.TCPConn)
	if !ok {
		skip(t, "needs plain TCP")
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the channel of a half-closed socket is vacated", func() bool { return !a.occupied(t, channel) })
	if _, err := c.read(patience); errors.Is(err, errSilence) {
		t.Errorf("the server keeps its half of a half-closed connection open for %v", patience)
	}
}

func testByteByByte(t *testing.T) {
	c := fixture(t, plain).connect(t)
	raw := append(textFrame(pingText), textFrame(`{"event":"pusher:ping","data":"`+strings.Repeat("x", 200)+`"}`)...)
	for i := range raw {
		c.sendBytes(raw[i : i+1])
	}
	c.expect("pusher:pong", "", "{}")
	c.expect("pusher:pong", "", "{}")
}

func testRuneAcrossFragments(t *testing.T) {
	c := fixture(t, plain).connect(t)
	text := `{"event":"pusher:ping","data":"😀"}`
	cut := strings.Index(text, "😀") + 2
	c.writeFrame(ws.Header{OpCode: ws.OpText}, []byte(text[:cut]))
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(text[cut:]))
	c.expect("pusher:pong", "", "{}")
}

// testFloodOfPings allows a server to answer only the last of WebSocket pings that
// wait for their answers (RFC 6455, section 5.5.3).
func testFloodOfPings(t *testing.T) {
	const pings = 2000
	c := fixture(t, plain).connect(t)
	var raw []byte
	for i := range pings {
		raw = append(raw, textFrame(pingText)...)
		raw = append(raw, frameBytes(ws.Header{Fin: true, OpCode: ws.OpPing}, fmt.Appendf(nil, "%04d", i))...)
	}
	c.sendBytes(raw)
	for range pings {
		c.expect("pusher:pong", "", "{}")
	}
	c.open()
	if n := len(c.pongs); n == 0 || c.pongs[n-1] != fmt.Sprintf("%04d", pings-1) {
		t.Errorf("the last of %d control Pongs does not answer the last Ping", n)
	}
	if !slices.IsSorted(c.pongs) || len(slices.Compact(slices.Clone(c.pongs))) != len(c.pongs) {
		t.Error("control Pongs are out of order, or repeated")
	}
}

// testFloodOfErrors allows a server to stop answering after a hundred.
func testFloodOfErrors(t *testing.T) {
	const mistakes = 1000
	c := fixture(t, plain).connect(t)
	c.sendBytes(bytes.Repeat(textFrame("x"), mistakes))
	errorsSeen := c.drain()
	if got := len(errorsSeen); got < 100 || got > mistakes {
		t.Errorf("errors for %d mistakes = %d, want at least 100", mistakes, got)
	}
	c.open()
}

func testBurstOfSubscriptions(t *testing.T) {
	const channels = 1000
	a := fixture(t, plain)
	c := a.connect(t)
	prefix := unique("burst")
	var raw []byte
	for i := range channels {
		raw = append(raw, textFrame(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"%s-%d"}}`, prefix, i))...)
	}
	c.sendBytes(raw)
	for i := range channels {
		c.expect("pusher_internal:subscription_succeeded", fmt.Sprintf("%s-%d", prefix, i), "{}")
	}
	if got := len(a.listed(t, prefix)); got != channels {
		t.Errorf("channels listed = %d, want %d", got, channels)
	}
	c.reset()
	eventually(t, "all channels of the burst are vacated", func() bool { return len(a.listed(t, prefix)) == 0 })
}

func testTLSHelloOnPlainPort(t *testing.T) {
	a := fixture(t, plain)
	if a.secure {
		skip(t, "needs a plain address")
	}
	nc, err := net.DialTimeout("tcp", a.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("TLS handshake with a plain port succeeded")
	}
}
