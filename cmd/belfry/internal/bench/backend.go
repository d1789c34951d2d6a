package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/rawjson"
)

const (
	// requestTimeout is how long one request may take.
	requestTimeout = 30 * time.Second
	maxReply       = 1 << 20
)

// A backend triggers events over the HTTP API, one request after the other on
// a connection that it keeps. It is written for little work per request, so
// that the load is limited by the service. One goroutine uses it.
type backend struct {
	endpoint *endpoint
	mac      hash.Hash // keyed with the secret
	conn     net.Conn  // nil: to be dialed
	reader   *bufio.Reader
	forget   func() bool // stops what ends conn with its context
	request  []byte
	text     []byte // what is signed
}

func newBackend(e *endpoint) *backend {
	return &backend{endpoint: e, mac: hmac.New(sha256.New, []byte(e.secret)), reader: bufio.NewReader(nil)}
}

// A statusError is an answer other than 200.
type statusError struct {
	status string
	reply  string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the service answered %s: %s", e.status, e.reply)
}

// post sends a body to a path below the app, as in "/events". Any error but a
// statusError leaves open whether the service has acted on it.
func (b *backend) post(ctx context.Context, path string, body []byte) error {
	if b.conn == nil {
		if err := b.dial(ctx); err != nil {
			return err
		}
	}
	err := b.exchange(ctx, path, body)
	if _, answered := err.(*statusError); err != nil && !answered {
		b.close()
	}
	return err
}

func (b *backend) dial(ctx context.Context) error {
	conn, err := b.endpoint.dial(ctx)
	if err != nil {
		return err
	}
	b.conn = conn
	b.reader.Reset(conn)
	b.forget = context.AfterFunc(ctx, func() { conn.Close() })
	return nil
}

func (b *backend) close() {
	if b.conn != nil {
		b.forget()
		b.conn.Close()
		b.conn = nil
	}
}

// exchange sends a request and reads the answer.
func (b *backend) exchange(ctx context.Context, path string, body []byte) error {
	if err := b.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	b.build(path, body, time.Now())
	if _, err := b.conn.Write(b.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(b.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.Close {
			b.close()
		}
		return nil
	}
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return err
	}
	b.close() // there may be more of the answer
	return &statusError{response.Status, string(bytes.TrimSpace(reply[:min(len(reply), 200)]))}
}

// build makes the request.
func (b *backend) build(path string, body []byte, now time.Time) {
	e := b.endpoint
	path = e.prefix + "/apps/" + url.PathEscape(e.appID) + path
	sum := md5.Sum(body)
	rest := append(make([]byte, 0, 128), "&auth_timestamp="...)
	rest = strconv.AppendInt(rest, now.Unix(), 10)
	rest = append(rest, "&auth_version=1.0&body_md5="...)
	rest = hex.AppendEncode(rest, sum[:])

	b.text = append(b.text[:0], "POST\n"...)
	b.text = append(b.text, path...)
	b.text = append(b.text, "\nauth_key="...)
	b.text = append(b.text, e.key...)
	b.text = append(b.text, rest...)
	b.mac.Reset()
	b.mac.Write(b.text) // never fails

	r := append(b.request[:0], "POST "...)
	r = append(r, path...)
	r = append(r, "?auth_key="...)
	r = append(r, url.QueryEscape(e.key)...)
	r = append(r, rest...)
	r = append(r, "&auth_signature="...)
	r = hex.AppendEncode(r, b.mac.Sum(nil))
	r = append(r, " HTTP/1.1\r\nHost: "...)
	r = append(r, e.host...)
	r = append(r, "\r\nContent-Type: application/json\r\nX-Pusher-Library: belfry-bench 1.0\r\nContent-Length: "...)
	r = strconv.AppendInt(r, int64(len(body)), 10)
	r = append(r, "\r\n\r\n"...)
	b.request = append(r, body...)
}

// preflight triggers an event that nobody gets, to find out about a wrong
// address or wrong credentials before there are connections.
func (b *backend) preflight(ctx context.Context, channel string) error {
	body := []byte(`{"name":"` + backendEvent + `","channels":[`)
	body = rawjson.AppendString(body, channel)
	body = append(body, `],"data":"{}"}`...)
	if err := b.post(ctx, "/events", body); err != nil {
		return fmt.Errorf("bench: the first event: %w", err)
	}
	return nil
}
