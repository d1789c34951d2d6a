package loop

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// digested waits until the loop has read all that came.
func digested(t *testing.T, h *recorder) {
	t.Helper()
	for left := 1; left > 0; runtime.Gosched() {
		h.do(func(s *Socket) {
			var err error
			if left, err = unix.IoctlGetInt(s.Descriptor(), unix.SIOCINQ); err != nil {
				t.Error(err)
				left = 0
			}
		})
	}
}

// Bytes of records that come one at a time, each read before the next, are put
// together: data, new keys, data of those keys, and the end.
func TestRecordsCutAtEveryByte(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	sent := p.record(recordData, "one,")
	sent = append(sent, p.newKeys(1)...)
	sent = append(sent, p.record(recordData, "two,")...)
	for i := range sent {
		p.write(sent[i : i+1])
		digested(t, h)
	}
	if got := h.read(len("one,two,")); got != "one,two," {
		t.Errorf("the handler got %q", got)
	}
	p.expect(recordHandshake, "\x18\x00\x00\x01\x00")
	p.get.update(t)
	h.send("with new keys")
	p.expect(recordData, wire("with new keys"))

	end := p.record(recordAlert, "\x01\x00") // close_notify
	p.write(end[:len(end)-1])
	digested(t, h)
	p.write(end[len(end)-1:])
	if err := <-h.closed; !errors.Is(err, io.EOF) {
		t.Errorf("Closed(%v), want %v", err, io.EOF)
	}
}

// A cutter writes every byte alone, once the ones before are read.
type cutter struct {
	net.Conn
	then func()
}

func (c *cutter) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		if c.then != nil {
			c.then()
		}
	}
	return len(b), nil
}

func TestRecordsOfTLS12CutAtEveryByte(t *testing.T) {
	raw, conn := tcpPair(t)
	cut := &cutter{Conn: raw}
	server := tls.Server(conn, serverConfig(t, tls.VersionTLS12))
	client := tls.Client(cut, &tls.Config{InsecureSkipVerify: true})
	shake(t, client, server)
	h := attach(newTestGroup(t, Config{Loops: 1}), server, nil)
	cut.then = func() { digested(t, h) }
	for _, text := range []string{"one,", "two,"} {
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.read(len("one,two,")); got != "one,two," {
		t.Errorf("the handler got %q", got)
	}
}

// What comes in one piece with the end of the handshake is read, though nothing
// comes after it.
func TestDataBesideTheEndOfTheHandshake(t *testing.T) {
	raw, conn := tcpPair(t)
	server := tls.Server(conn, serverConfig(t, tls.VersionTLS13))
	late := &withholding{Conn: raw}
	client := tls.Client(late, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil { // of which the server does not know
		t.Fatal(err)
	}
	for _, text := range []string{"one,", "two,"} {
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.Write(late.kept); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	h := attach(newTestGroup(t, Config{Loops: 1}), server, nil)
	if got := h.read(len("one,two,")); got != "one,two," {
		t.Errorf("the handler got %q", got)
	}
}

// A withholding connection keeps all that is written but the first piece.
type withholding struct {
	net.Conn
	begun bool
	kept  []byte
}

func (w *withholding) Write(b []byte) (int, error) {
	if !w.begun {
		w.begun = true
		return w.Conn.Write(b)
	}
	w.kept = append(w.kept, b...)
	return len(b), nil
}

// Records that came together are handed over one after the other, when the
// handler is ready for more, though the descriptor has nothing to announce.
func TestRecordsWaitForTheHandler(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := newRecorder(newTestGroup(t, Config{Loops: 1}))
	calls := 0
	h.onInput = func(s *Socket, b []byte) {
		if calls++; len(b) > 0 {
			s.Continue()
		}
	}
	h.attach(conn, nil)
	var all []byte
	for range 5 {
		all = append(all, p.record(recordData, "x")...)
	}
	p.write(all)
	h.read(5)
	h.do(func(*Socket) {})
	h.do(func(*Socket) {
		if calls < 9 {
			t.Errorf("the handler was called %d times, want five times with data and, in between, to go on", calls)
		}
	})
}

// Frames that wait for the same turn share a record, as long as it has room.
func TestFramesShareRecords(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	h.send("alone")
	p.expect(recordData, wire("alone"))
	var texts []string
	for range 100 {
		texts = append(texts, strings.Repeat("x", 100))
	}
	h.send(texts...)
	p.expect(recordData, wire(texts...))

	large := strings.Repeat("y", 40<<10)
	h.send("before", large, "behind")
	want := wire("before", large, "behind")
	for want != "" {
		n := min(len(want), recordSize)
		p.expect(recordData, want[:n])
		want = want[n:]
	}
	h.do(func(s *Socket) {
		s.Send(textFrame("last"))
		s.Finish()
	})
	p.expect(recordData, wire("last"))
	p.expect(recordAlert, "\x01\x00") // close_notify
	if rest, err := io.ReadAll(p.raw); err != nil || len(rest) > 0 {
		t.Errorf("%d bytes and %v come behind the end", len(rest), err)
	}
}

// A record that was changed on its way ends the connection, and the peer hears
// why.
func TestBrokenRecord(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	bad := p.record(recordData, "changed")
	bad[len(bad)-1] ^= 1
	p.write(bad)
	p.expect(recordAlert, "\x02\x14") // bad_record_mac
	if err := <-h.closed; LossOf(err) != Broken {
		t.Errorf("Closed(%v), want another error", err)
	}
	if got := h.all(); got != "" {
		t.Errorf("the handler got %q", got)
	}
}

// An end in the middle of a record is none that the peer has wanted.
func TestEndWithinARecord(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	p.write(p.record(recordData, "half")[:10])
	p.raw.Close()
	if err := <-h.closed; LossOf(err) != Broken {
		t.Errorf("Closed(%v), want another error", err)
	}
}

// A peer that asks for new keys again and again, and does not take the answers,
// does not fill the memory.
func TestNewKeysThatAreNotTaken(t *testing.T) {
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	h.do(func(s *Socket) { s.link.(*encrypted).blocked = true }) // as if its buffers were full
	for asked := 0; ; asked++ {
		b := p.newKeys(1)
		b = append(b, p.record(recordData, "x")...) // without which crypto/tls ends it soon
		if _, err := p.raw.Write(b); err != nil {
			break
		}
		if asked > recordSize {
			t.Fatal("the peer may ask without an end")
		}
	}
	if err := <-h.closed; !errors.Is(err, errReplies) {
		t.Errorf("Closed(%v), want %v", err, errReplies)
	}
}

// A connection has no more memory for reading than what it has of a record.
func TestIdleConnectionHoldsNoBuffers(t *testing.T) {
	if !lends {
		t.Fatal("the fields of tls.Conn are not those that buffers_linux.go knows: each connection keeps 3.5 KB that an idle one does not need")
	}
	p, conn := newRecordPeer(t)
	h := attach(newTestGroup(t, Config{Loops: 1}), conn, nil)
	buffers := func() (raw, hand int, input int64) {
		h.do(func(*Socket) {
			raw, hand = in[bytes.Buffer](conn, rawField).Cap(), in[bytes.Buffer](conn, handField).Cap()
			input = in[bytes.Reader](conn, inputField).Size()
		})
		return raw, hand, input
	}
	first, second := p.record(recordData, "x"), p.record(recordData, "y")
	part := p.record(recordData, strings.Repeat("z", 10_000))
	for _, step := range []struct {
		write []byte
		most  int // kept
	}{
		{nil, 0},
		{first, 0},
		{append(second, part[:3000]...), 3000 + 512},
		{part[3000:], 0},
		{p.newKeys(0), 0},
	} {
		p.write(step.write)
		digested(t, h)
		if raw, hand, input := buffers(); raw > step.most || hand > 0 || input > 0 {
			t.Errorf("after %d bytes there are buffers of %d, %d and %d bytes, want %d at most", len(step.write), raw, hand, input, step.most)
		}
	}
}
