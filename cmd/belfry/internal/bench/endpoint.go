package bench

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A Target is the service and the app that a load is put on.
type Target struct {
	URL    *url.URL // http or https, a host and perhaps a path prefix
	AppID  string
	Key    string
	Secret string
	TLS    *tls.Config // nil: the defaults
}

// An endpoint is a target whose address is known.
type endpoint struct {
	addr   netip.AddrPort
	host   string // as in the header Host
	prefix string
	tls    *tls.Config // nil: plain

	appID, key, secret string
}

// A RemoteError is the refusal to put a load on another machine by mistake.
type RemoteError struct {
	Host string
	Addr netip.Addr
}

func (e *RemoteError) Error() string {
	where := e.Host
	if where != e.Addr.String() {
		where += " (" + e.Addr.String() + ")"
	}
	return where + " is not this machine, and a load can take a service down; --allow-remote says that it is meant"
}

// resolve finds the address once, so that every connection goes to the one
// that was checked.
func resolve(ctx context.Context, t Target, allowRemote bool) (*endpoint, error) {
	if t.URL == nil || t.URL.Hostname() == "" {
		return nil, errors.New("bench: there is no address to put the load on")
	}
	e := &endpoint{host: t.URL.Host, prefix: strings.TrimRight(t.URL.EscapedPath(), "/"), appID: t.AppID, key: t.Key, secret: t.Secret}
	service := t.URL.Port()
	switch t.URL.Scheme {
	case "http":
	case "https":
		e.tls = t.TLS.Clone()
		if e.tls == nil {
			e.tls = &tls.Config{}
		}
		if e.tls.ServerName == "" {
			e.tls.ServerName = t.URL.Hostname()
		}
		e.tls.NextProtos = []string{"http/1.1"}
	default:
		return nil, fmt.Errorf("bench: the address has the scheme %q; http and https are known", t.URL.Scheme)
	}
	if service == "" {
		service = t.URL.Scheme
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.URL.Hostname())
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	addr := addrs[0].Unmap()
	if !addr.IsLoopback() && !allowRemote {
		return nil, &RemoteError{t.URL.Hostname(), addr}
	}
	e.addr = netip.AddrPortFrom(addr, uint16(port))
	return e, nil
}

// dial opens a connection to the service, with TLS where it is asked for.
func (e *endpoint) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", e.addr.String())
	if err != nil || e.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, e.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// upgrade returns the request for a WebSocket.
func (e *endpoint) upgrade() []byte {
	query := url.Values{"protocol": {"7"}, "client": {"belfry-bench"}, "version": {"1.0"}}
	return []byte("GET " + e.prefix + "/app/" + url.PathEscape(e.key) + "?" + query.Encode() + " HTTP/1.1\r\n" +
		"Host: " + e.host + "\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: " + upgradeKey + "\r\n" +
		"Sec-WebSocket-Version: 13\r\n\r\n")
}

// upgradeAccept is what the service answers to upgradeKey (RFC 6455, 1.3).
func upgradeAccept() string {
	sum := sha1.Sum([]byte(upgradeKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
