package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for something that must come. It is long, so
// that a busy machine does not fail a right server.
const patience = 15 * time.Second

// A dialing is how a connection is opened; the zero value opens app A like
// any current client library.
type dialing struct {
	path      string   // request path; empty means /app/{key}
	query     string   // raw; empty means that of a current library
	headers   []string // added, such as "Origin: https://a.test"
	pipelined []byte   // sent with the upgrade, in one segment
	overTLS   bool
}

const currentQuery = "protocol=7&client=conformance&version=1.0.0&flash=false"

// noQuery opens without any query string.
const noQuery = "-"

// open makes the TCP or TLS connection.
func (a *app) open(d dialing) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addr, secure := a.addr, a.secure
	if d.overTLS && !secure {
		addr, secure = a.tlsAddr, true
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !secure {
		return conn, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secured := tls.Client(conn, a.tlsConfig(host))
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// tlsConfig trusts whatever certificate a service of the suite's own shows,
// and only real ones of an external server.
func (a *app) tlsConfig(host string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: target.external == nil}
}

// upgradeRequest is the text of the opening handshake.
func (a *app) upgradeRequest(d dialing) []byte {
	path, query := d.path, d.query
	if path == "" {
		path = a.prefix + "/app/" + a.key
	}
	switch query {
	case "":
		path += "?" + currentQuery
	case noQuery:
	default:
		path += "?" + query
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", path, a.addr)
	fmt.Fprint(&b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	for _, line := range d.headers {
		fmt.Fprintf(&b, "%s\r\n", line)
	}
	b.WriteString("\r\n")
	b.Write(d.pipelined)
	return b.Bytes()
}

// acceptOfTheSampleKey is the answer to the sample key of RFC 6455.
const acceptOfTheSampleKey = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// dial opens a connection whose upgrade must succeed. No frame is read yet.
func (a *app) dial(t *testing.T, d dialing) *conn {
	t.Helper()
	nc, err := a.open(d)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(a.upgradeRequest(d)); err != nil {
		t.Fatalf("write of the upgrade request: %v", err)
	}
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read of the upgrade answer: %v", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		t.Fatalf("upgrade of %s?%s = %s %q, want 101", d.path, d.query, resp.Status, body)
	}
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != acceptOfTheSampleKey {
		t.Fatalf("Sec-WebSocket-Accept = %q, want %q", got, acceptOfTheSampleKey)
	}
	_ = nc.SetDeadline(time.Time{})
	c := &conn{t: t, app: a, net: nc, r: r, header: resp.Header}
	if strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		c.inflate = new(inflater)
	}
	return c
}

// connect opens a connection that must be established.
func (a *app) connect(t *testing.T) *conn {
	t.Helper()
	return a.connectWith(t, dialing{})
}

func (a *app) connectWith(t *testing.T, d dialing) *conn {
	t.Helper()
	c := a.dial(t, d)
	c.established()
	return c
}

// refused opens a connection that must be refused with the code: first the
// error frame, then the Close, then nothing more. It returns the message.
func (a *app) refused(t *testing.T, d dialing, code int) string {
	t.Helper()
	c := a.dial(t, d)
	return c.ended(code)
}
