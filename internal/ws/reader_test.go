package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/belfryhq/belfry/protocol"
)

// A collector is a sink that keeps what was read.
type collector struct {
	got  []string
	stop bool // after a Close frame
}

func (c *collector) onText(text []byte)    { c.got = append(c.got, "text "+string(text)) }
func (c *collector) onPing(payload []byte) { c.got = append(c.got, "ping "+string(payload)) }
func (c *collector) onPong()               { c.got = append(c.got, "pong") }
func (c *collector) reading() bool         { return !c.stop }

func (c *collector) onClose(code protocol.CloseCode) {
	c.got = append(c.got, fmt.Sprint("close ", int(code)))
	c.stop = true
}

// What a client sends.
const (
	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// sent returns a masked frame with that first byte.
func sent(first byte, payload string) []byte {
	f := ws.MaskFrame(ws.Frame{
		Header:  ws.Header{Fin: first&fin != 0, Rsv: first >> 4 & 7, OpCode: ws.OpCode(first & 0xf), Length: int64(len(payload))},
		Payload: []byte(payload),
	})
	return ws.MustCompileFrame(f)
}

// closeFrameOf is a Close frame with a code and a reason.
func closeFrameOf(code int, reason string) []byte {
	return sent(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

func join(frames ...[]byte) []byte { return slices.Concat(frames...) }

// readAll gives b to a reader in pieces of that size, as they come from the
// network: each in memory that is used again.
func readAll(r *reader, b []byte, size, limit int) (got []string, code protocol.CloseCode) {
	var c collector
	buf := make([]byte, size)
	for again := false; (len(b) > 0 || again) && code == 0; {
		n := 0
		if !again {
			n = copy(buf, b)
		}
		again, code = r.read(buf[:n], limit, &c)
		clear(buf)
		b = b[n:]
	}
	return c.got, code
}

// form returns a frame whose length stands in the given form: 0, 126 or 127.
func form(first byte, form int, length uint64, payload string) []byte {
	b := []byte{first, maskBit | byte(length)}
	switch form {
	case 126:
		b = binary.BigEndian.AppendUint16([]byte{first, maskBit | 126}, uint16(length))
	case 127:
		b = binary.BigEndian.AppendUint64([]byte{first, maskBit | 127}, length)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

type readerCase struct {
	in   []byte
	want []string
	code protocol.CloseCode
}

const testLimit = 70_000

func readerCases() map[string]readerCase {
	long := strings.Repeat("é", testLimit/2)
	text := func(s ...string) []string {
		for i := range s {
			s[i] = "text " + s[i]
		}
		return s
	}
	const bad, tooBig, notText = protocol.CloseProtocol, protocol.CloseTooBig, protocol.CloseInvalidText
	return map[string]readerCase{
		"a message":             {sent(fin|opText, "hello"), text("hello"), 0},
		"an empty message":      {sent(fin|opText, ""), text(""), 0},
		"two messages":          {join(sent(fin|opText, "a"), sent(fin|opText, "b")), text("a", "b"), 0},
		"126 bytes":             {sent(fin|opText, long[:126]), text(long[:126]), 0},
		"as long as may be":     {sent(fin|opText, long), text(long), 0},
		"longer than may be":    {sent(fin|opText, long+"x"), nil, tooBig},
		"much longer":           {form(fin|opText, 127, 1<<62, ""), nil, tooBig},
		"a mask of zero":        {form(fin|opText, 0, 5, "hello"), text("hello"), 0},
		"not masked":            {[]byte{fin | opText, 1, 'a'}, nil, bad},
		"not masked, after one": {join(sent(fin|opText, "a"), []byte{fin | opText, 0}), text("a"), bad},

		"three fragments":               {join(sent(opText, "a"), sent(opContinuation, "b"), sent(fin, "c")), text("abc"), 0},
		"empty fragments":               {join(sent(opText, ""), sent(opContinuation, ""), sent(fin, "")), text(""), 0},
		"fragments, then a message":     {join(sent(opText, "a"), sent(fin, "b"), sent(fin|opText, "c")), text("ab", "c"), 0},
		"fragments as long as may be":   {join(sent(opText, long[:1000]), sent(fin, long[1000:])), text(long), 0},
		"fragments longer than may be":  {join(sent(opText, long[:1000]), sent(opContinuation, long[1000:]), sent(fin, "x")), nil, tooBig},
		"a continuation of nothing":     {sent(fin, "a"), nil, bad},
		"a continuation without an end": {sent(opContinuation, "a"), nil, bad},
		"a message within a message":    {join(sent(opText, "a"), sent(fin|opText, "b")), nil, bad},
		"the beginning of a second":     {join(sent(opText, "a"), sent(opText, "b")), nil, bad},
		"binary within a message":       {join(sent(opText, "a"), sent(fin|opBinary, "b")), nil, bad},
		"a continuation after the end":  {join(sent(opText, "a"), sent(fin, "b"), sent(fin, "c")), text("ab"), bad},

		"ping":                       {sent(fin|opPing, "abc"), []string{"ping abc"}, 0},
		"ping of 125 bytes":          {sent(fin|opPing, long[:125]), []string{"ping " + long[:125]}, 0},
		"ping of 126 bytes":          {sent(fin|opPing, long[:126]), nil, bad},
		"ping in the long form":      {form(fin|opPing, 127, 1<<20, ""), nil, bad},
		"pong":                       {sent(fin|opPong, "anything"), []string{"pong"}, 0},
		"control within a message":   {join(sent(opText, "a"), sent(fin|opPing, "x"), sent(opContinuation, "b"), sent(fin|opPong, ""), sent(fin, "c")), []string{"ping x", "pong", "text abc"}, 0},
		"ping beside a full message": {join(sent(opText, long), sent(fin|opPing, "x"), sent(fin, "")), append([]string{"ping x"}, text(long)...), 0},
		"ping in fragments":          {sent(opPing, "abc"), nil, bad},
		"close in fragments":         {sent(opClose, ""), nil, bad},
		"opcode 3":                   {sent(fin|3, ""), nil, bad},
		"opcode 7":                   {sent(fin|7, ""), nil, bad},
		"opcode 0xb":                 {sent(fin|0xb, ""), nil, bad},
		"opcode 0xf":                 {sent(fin|0xf, ""), nil, bad},
		"RSV1":                       {sent(fin|rsv1|opText, "a"), nil, bad},
		"RSV2":                       {sent(fin|rsv2|opText, "a"), nil, bad},
		"RSV3":                       {sent(fin|rsv3|opText, "a"), nil, bad},
		"RSV1 on a ping":             {sent(fin|rsv1|opPing, "a"), nil, bad},
		"binary":                     {sent(fin|opBinary, "a"), nil, protocol.CloseUnsupported},
		"binary in fragments":        {sent(opBinary, "a"), nil, protocol.CloseUnsupported},
		"binary, too long":           {form(fin|opBinary, 127, 1<<40, ""), nil, protocol.CloseUnsupported},

		"125 in two bytes":     {form(fin|opText, 126, 125, long[:125]), nil, bad},
		"0 in two bytes":       {form(fin|opText, 126, 0, ""), nil, bad},
		"126 in eight bytes":   {form(fin|opText, 127, 126, long[:126]), nil, bad},
		"65535 in eight bytes": {form(fin|opText, 127, 65535, long[:65535]), nil, bad},
		"65536 in eight bytes": {form(fin|opText, 127, 65536, long[:65536]), text(long[:65536]), 0},
		"the highest bit":      {form(fin|opText, 127, 1<<63, ""), nil, bad},
		"all bits":             {form(fin|opText, 127, 1<<64-1, ""), nil, bad},

		"UTF-8 over fragments":       {join(sent(opText, "\xf0\x9f"), sent(opContinuation, "\x98"), sent(fin, "\x80!")), text("😀!"), 0},
		"no UTF-8":                   {sent(fin|opText, "a\xff"), nil, notText},
		"half a character":           {sent(fin|opText, "\xf0\x9f\x98"), nil, notText},
		"half of one over fragments": {join(sent(opText, "\xf0\x9f"), sent(fin, "\x98")), nil, notText},
		"an overlong character":      {sent(fin|opText, "\xc0\xaf"), nil, notText},
		"half of a surrogate pair":   {sent(fin|opText, "\xed\xa0\x80"), nil, notText},
		"beyond Unicode":             {sent(fin|opText, "\xf4\x90\x80\x80"), nil, notText},

		"close":                      {sent(fin|opClose, ""), []string{"close 0"}, 0},
		"close with a code":          {closeFrameOf(1000, ""), []string{"close 1000"}, 0},
		"close with a reason":        {closeFrameOf(4999, "bye é"), []string{"close 4999"}, 0},
		"close within a message":     {join(sent(opText, "a"), closeFrameOf(1001, "")), []string{"close 1001"}, 0},
		"nothing is read after it":   {join(closeFrameOf(1000, ""), sent(fin|opText, "late"), []byte{0xff, 0xff}), []string{"close 1000"}, 0},
		"close with half a code":     {sent(fin|opClose, "\x03"), nil, bad},
		"close with a bad reason":    {closeFrameOf(1000, "\xff"), nil, notText},
		"close of 126 bytes":         {sent(fin|opClose, long[:126]), nil, bad},
		"an incomplete message":      {sent(fin|opText, "hello")[:7], nil, 0},
		"an incomplete header":       {sent(fin|opText, long[:200])[:3], nil, 0},
		"an error before the length": {[]byte{fin | rsv2 | opText, maskBit | 127}, nil, bad},
	}
}

func TestReader(t *testing.T) {
	for name, tt := range readerCases() {
		got, code := readAll(new(reader), tt.in, len(tt.in), testLimit)
		if !slices.Equal(got, tt.want) || code != tt.code {
			t.Errorf("%s: read %.80q and %d, want %.80q and %d", name, got, code, tt.want, tt.code)
		}
	}
}

// However the bytes are split, the same is read.
func TestReaderReadsBytesInAnyPieces(t *testing.T) {
	for name, tt := range readerCases() {
		for _, size := range []int{1, 2, 3, 7, 1000} {
			got, code := readAll(new(reader), tt.in, size, testLimit)
			if !slices.Equal(got, tt.want) || code != tt.code {
				t.Errorf("%s, by %d bytes: read %.80q and %d, want %.80q and %d", name, size, got, code, tt.want, tt.code)
			}
		}
		for cut := 1; cut < min(len(tt.in), 300); cut++ { // in two
			var c collector
			r := new(reader)
			_, code := r.read(bytes.Clone(tt.in[:cut]), testLimit, &c)
			if code == 0 && !c.stop {
				_, code = r.read(bytes.Clone(tt.in[cut:]), testLimit, &c)
			}
			if !slices.Equal(c.got, tt.want) || code != tt.code {
				t.Errorf("%s, cut at %d: read %.80q and %d, want %.80q and %d", name, cut, c.got, code, tt.want, tt.code)
			}
		}
	}
}

func TestReaderCloseCodes(t *testing.T) {
	valid := func(code int) bool {
		return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code <= 4999
	}
	for code := range 1 << 16 {
		got, bad := readAll(new(reader), closeFrameOf(code, ""), 100, testLimit)
		if ok := bad == 0 && len(got) == 1 && got[0] == fmt.Sprint("close ", code); ok != valid(code) {
			t.Errorf("a Close frame with code %d: read %q and %d, want accepted: %t", code, got, bad, valid(code))
		}
	}
}

func TestUnmask(t *testing.T) {
	for n := range 40 {
		b := []byte(strings.Repeat("0123456789", 4)[:n])
		mask := [4]byte{1, 20, 0, 255}
		want := bytes.Clone(b)
		ws.Cipher(want, mask, 0)
		unmask(b, mask[:])
		if !bytes.Equal(b, want) {
			t.Errorf("unmask of %d bytes = %x, want %x", n, b, want)
		}
	}
}

// An idle reader keeps nothing.
func TestReaderKeepsNothingBetweenMessages(t *testing.T) {
	var r reader
	var c collector
	for _, size := range []int{1, 100} {
		r = reader{}
		b := join(sent(fin|opText, "hello"), sent(opText, "a"), sent(fin, "b"))
		for len(b) > 0 {
			n := min(size, len(b))
			r.read(bytes.Clone(b[:n]), testLimit, &c)
			b = b[n:]
		}
		if r.partial != nil || r.fragments != nil {
			t.Errorf("after whole messages, by %d bytes, the reader keeps %+v", size, r)
		}
	}
}

// compressedFrame is a compressed message as a client sends it.
func compressedFrame(t testing.TB, text string) []byte {
	t.Helper()
	f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return ws.MustCompileFrame(ws.MaskFrame(f))
}

func TestReaderInflates(t *testing.T) {
	long := strings.Repeat("abc ", testLimit/4)
	broken := sent(fin|rsv1|opText, "\xff\xff\xff\xff")
	whole := compressedFrame(t, "hello hello hello")
	payload := string(ws.UnmaskFrame(must(readFrame(bytes.NewReader(whole)))).Payload)
	for name, tt := range map[string]readerCase{
		"compressed":                    {whole, []string{"text hello hello hello"}, 0},
		"empty":                         {compressedFrame(t, ""), []string{"text "}, 0},
		"empty payload":                 {sent(fin|rsv1|opText, ""), []string{"text "}, 0},
		"empty payload, in fragments":   {join(sent(rsv1|opText, ""), sent(0, ""), sent(fin, "")), []string{"text "}, 0},
		"plain beside it":               {join(sent(fin|opText, "a"), whole, sent(fin|opText, "b")), []string{"text a", "text hello hello hello", "text b"}, 0},
		"in fragments":                  {join(sent(rsv1|opText, payload[:2]), sent(fin|opPing, "x"), sent(fin, payload[2:])), []string{"ping x", "text hello hello hello"}, 0},
		"as long as may be":             {compressedFrame(t, long), []string{"text " + long}, 0},
		"longer than may be":            {compressedFrame(t, long+"x"), nil, protocol.CloseTooBig},
		"a bomb":                        {compressedFrame(t, strings.Repeat("a", 10<<20)), nil, protocol.CloseTooBig},
		"not compressed at all":         {broken, nil, protocol.CloseInvalidText},
		"no UTF-8":                      {compressedFrame(t, "\xff"), nil, protocol.CloseInvalidText},
		"cut off":                       {sent(fin|rsv1|opText, payload[:3]), nil, protocol.CloseInvalidText},
		"RSV1 on a continuation":        {join(sent(rsv1|opText, payload[:2]), sent(fin|rsv1, payload[2:])), nil, protocol.CloseProtocol},
		"RSV1 on the continuation only": {join(sent(opText, "a"), sent(fin|rsv1, "b")), nil, protocol.CloseProtocol},
		"RSV1 on a ping":                {sent(fin|rsv1|opPing, ""), nil, protocol.CloseProtocol},
		"RSV2":                          {sent(fin|rsv2|opText, ""), nil, protocol.CloseProtocol},
	} {
		for _, size := range []int{1, 5, len(tt.in)} {
			got, code := readAll(inflating(testLimit), tt.in, size, testLimit)
			if !slices.Equal(got, tt.want) || code != tt.code {
				t.Errorf("%s, by %d bytes: read %.80q and %d, want %.80q and %d", name, size, got, code, tt.want, tt.code)
			}
		}
	}
}

// inflating is a reader that has negotiated compression.
func inflating(limit int) *reader { return &reader{inflation: newInflation(time.Time{}, limit)} }

// One client's compressed messages are read in the turns of its loop, each of
// which takes a little of them, whatever one read has brought.
func TestReaderInflatesALittleInEachTurn(t *testing.T) {
	text := strings.Repeat("x", 5000)
	const many = 40
	r := inflating(DefaultMaxMessageSize)
	var c collector
	in := bytes.Repeat(compressedFrame(t, text), many)
	turns := 0
	for again := true; again; turns++ {
		before := len(c.got)
		var code protocol.CloseCode
		if again, code = r.read(in, DefaultMaxMessageSize, &c); code != 0 {
			t.Fatalf("turn %d: closed with %d", turns, code)
		}
		in = nil
		if got := (len(c.got) - before) * len(text); got > turnInflated+len(text) {
			t.Errorf("turn %d inflated %d bytes, want at most a message more than %d", turns, got, turnInflated)
		}
	}
	if len(c.got) != many || turns < many*len(text)/(turnInflated+len(text)) {
		t.Errorf("%d messages came in %d turns, want all %d", len(c.got), turns, many)
	}
	if r.partial != nil {
		t.Errorf("the reader keeps %d bytes", len(r.partial))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
