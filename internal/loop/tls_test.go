package loop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
)

// tlsPair returns what makes both ends of a connection of that version. The
// server's end is one that was accepted as the service does it.
func tlsPair(version uint16) func(t *testing.T) (peer, conn net.Conn) {
	return func(t *testing.T) (peer, conn net.Conn) {
		t.Helper()
		raw, conn := tcpPair(t)
		server := tls.Server(conn, serverConfig(t, version))
		client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		shake(t, client, server)
		return client, server
	}
}

// tcpPair returns a connection and its accepted end.
func tcpPair(t *testing.T) (raw, conn net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = accept.New(accept.Config{}).Listen(l)
	defer l.Close()
	if raw, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	if conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return raw, conn
}

func serverConfig(t *testing.T, version uint16) *tls.Config {
	t.Helper()
	cert, err := tls.X509KeyPair(certificatetest.New(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version,
		DynamicRecordSizingDisabled: true, SessionTicketsDisabled: true,
	}
}

// shake does both sides of a handshake.
func shake(t *testing.T, client, server *tls.Conn) {
	t.Helper()
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
}

// Types of records and of what is in them (RFC 8446, B.1 to B.3).
const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23

	updateKeys = 24 // a handshake message
)

// A recordPeer is a client of TLS 1.3 that makes every record by itself, so that
// a test says what is in each and when its bytes leave.
type recordPeer struct {
	t    *testing.T
	raw  net.Conn
	send half
	get  half
}

// newRecordPeer returns a peer and the server's end of its connection.
func newRecordPeer(t *testing.T) (*recordPeer, *tls.Conn) {
	t.Helper()
	raw, conn := tcpPair(t)
	var log bytes.Buffer
	server := tls.Server(conn, serverConfig(t, tls.VersionTLS13))
	client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log})
	shake(t, client, server)
	if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("this machine prefers %s, of which the test can make no records", tls.CipherSuiteName(suite))
	}
	p := &recordPeer{t: t, raw: raw}
	for line := range strings.Lines(log.String()) {
		fields := strings.Fields(line)
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		switch fields[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			p.send.rekey(t, secret)
		case "SERVER_TRAFFIC_SECRET_0":
			p.get.rekey(t, secret)
		}
	}
	return p, server
}

// record makes the next record of the client.
func (p *recordPeer) record(kind byte, content string) []byte {
	head := []byte{recordData, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(content)+1+p.send.aead.Overhead()))
	return p.send.aead.Seal(head, p.send.nonce(), append([]byte(content), kind), head)
}

// newKeys makes the record that says that the client has new keys, and perhaps
// that it wants some of the server.
func (p *recordPeer) newKeys(ask byte) []byte {
	b := p.record(recordHandshake, string([]byte{updateKeys, 0, 0, 1, ask}))
	p.send.update(p.t)
	return b
}

// write writes bytes of records.
func (p *recordPeer) write(b []byte) {
	p.t.Helper()
	if _, err := p.raw.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// next reads a record of the server.
func (p *recordPeer) next() (kind byte, content string) {
	p.t.Helper()
	head := make([]byte, 5)
	if _, err := io.ReadFull(p.raw, head); err != nil {
		p.t.Fatal(err)
	}
	sealed := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(p.raw, sealed); err != nil {
		p.t.Fatal(err)
	}
	inner, err := p.get.aead.Open(nil, p.get.nonce(), sealed, head)
	if err != nil {
		p.t.Fatal(err)
	}
	last := len(inner) - 1
	return inner[last], string(inner[:last])
}

// expect reads a record of the server and compares it.
func (p *recordPeer) expect(kind byte, content string) {
	p.t.Helper()
	if k, c := p.next(); k != kind || c != content {
		p.t.Errorf("the server sent a record of type %d with %d bytes %.40q, want %d with %d bytes %.40q", k, len(c), c, kind, len(content), content)
	}
}

// A half is the keys of one direction.
type half struct {
	secret, iv []byte
	aead       cipher.AEAD
	records    uint64 // since the last keys
}

func (h *half) rekey(t *testing.T, secret []byte) {
	t.Helper()
	block, err := aes.NewCipher(expandLabel(t, secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	if h.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	h.secret, h.iv, h.records = secret, expandLabel(t, secret, "iv", 12), 0
}

// update goes on to the next keys.
func (h *half) update(t *testing.T) { h.rekey(t, expandLabel(t, h.secret, "traffic upd", sha256.Size)) }

func (h *half) nonce() []byte {
	n := binary.BigEndian.AppendUint64(make([]byte, 4, 12), h.records)
	for i := range n {
		n[i] ^= h.iv[i]
	}
	h.records++
	return n
}

// expandLabel is HKDF-Expand-Label of RFC 8446, 7.1, without a context.
func expandLabel(t *testing.T, secret []byte, label string, length int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := string([]byte{byte(length >> 8), byte(length), byte(len(label))}) + label + "\x00"
	out, err := hkdf.Expand(sha256.New, secret, info, length)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
