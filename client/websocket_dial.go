package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// dialWebSocket opens a connection to u and upgrades it.
func dialWebSocket(ctx context.Context, cfg *Config, u *url.URL, header http.Header) (link, error) {
	request := upgradeRequest(u, header, cfg)
	if cfg.CookieJar != nil {
		for _, cookie := range cfg.CookieJar.Cookies(request.URL) {
			request.AddCookie(cookie)
		}
	}
	raw, conn, err := dialURL(ctx, cfg, request)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	l := newWebSocket(raw, conn, cfg)
	err = l.upgrade(request, cfg)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return l, nil
}

// upgradeRequest is the request that asks for a WebSocket.
func upgradeRequest(u *url.URL, header http.Header, cfg *Config) *http.Request {
	target := *u
	target.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	request := &http.Request{
		Method: http.MethodGet, URL: &target, Host: header.Get("Host"),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
	}
	if request.Host == "" {
		request.Host = withoutStandardPort(&target)
	}
	header.Del("Host")
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	header.Set("Sec-WebSocket-Version", "13")
	header.Set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(nonce[:]))
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", cfg.ClientName+"/"+cfg.ClientVersion)
	}
	if cfg.Compression {
		header.Set("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover; server_no_context_takeover")
	}
	return request
}

// withoutStandardPort is the Host that belongs to a URL.
func withoutStandardPort(u *url.URL) string {
	if u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" {
		return strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u.Host
}

// dialURL opens the network connection for a request, through a proxy if there
// is one, and TLS on it if the URL says so. Raw is the connection below TLS,
// which can be closed without waiting for anything.
func dialURL(ctx context.Context, cfg *Config, request *http.Request) (raw, conn net.Conn, err error) {
	proxy, err := cfg.Proxy(request)
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	if proxy == nil {
		raw, err = cfg.DialContext(ctx, "tcp", request.URL.Host)
		conn = raw
	} else {
		raw, conn, err = dialProxy(ctx, cfg, proxy, request.URL.Host)
	}
	if err != nil {
		return nil, nil, err
	}
	if request.URL.Scheme == "https" {
		conn, err = startTLS(ctx, conn, cfg.TLSConfig, request.URL.Hostname())
		if err != nil {
			raw.Close()
			return nil, nil, err
		}
	}
	return raw, conn, nil
}

func startTLS(ctx context.Context, conn net.Conn, cfg *tls.Config, host string) (net.Conn, error) {
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	cfg.NextProtos = []string{"http/1.1"}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured, nil
}

// upgrade sends the request and checks the answer.
func (l *wsLink) upgrade(request *http.Request, cfg *Config) error {
	if err := request.Write(l.conn); err != nil {
		return err
	}
	response, err := http.ReadResponse(l.r, request)
	if err != nil {
		return err
	}
	if cfg.CookieJar != nil {
		cfg.CookieJar.SetCookies(request.URL, response.Cookies())
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return refused(WebSocket, response)
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	switch h := response.Header; {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"),
		h.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return errors.New("the answer to the upgrade is not that of a WebSocket server")
	case h.Get("Sec-WebSocket-Extensions") != "":
		return l.useCompression(cfg.Compression, h.Get("Sec-WebSocket-Extensions"))
	}
	return nil
}

// useCompression takes over what the server made of the offer.
func (l *wsLink) useCompression(offered bool, answer string) error {
	name, params, _ := strings.Cut(answer, ";")
	if !offered || strings.TrimSpace(name) != "permessage-deflate" || !strings.Contains(params, "server_no_context_takeover") {
		return fmt.Errorf("the server uses an extension that was not offered: %q", answer)
	}
	l.compress = true
	return nil
}

// refused makes an error of an answer that is not the wanted one.
func refused(t Transport, response *http.Response) error {
	return &DialError{
		Transport:  t,
		StatusCode: response.StatusCode,
		RetryAfter: retryAfter(response.Header),
		Err:        fmt.Errorf("the answer is %s", response.Status),
	}
}

// retryAfter reads the header of that name, seconds or a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}

// A wsLink is a WebSocket.
type wsLink struct {
	raw      net.Conn // below TLS
	conn     net.Conn
	r        *bufio.Reader
	limit    int64
	timeout  time.Duration // of a write
	compress bool
	hooks    hooks

	// Owned by the reader.
	message []byte // the one that was read last
	inflate inflater

	// Owned by the writer.
	out     []byte
	deflate deflater
}

func newWebSocket(raw, conn net.Conn, cfg *Config) *wsLink {
	l := &wsLink{raw: raw, conn: conn, limit: cfg.MaxMessageSize, timeout: cfg.WriteTimeout}
	l.r = bufio.NewReaderSize(seeing{l}, 4096)
	return l
}

// seeing reads from the connection of a link and tells it of every byte.
type seeing struct{ l *wsLink }

func (s seeing) Read(p []byte) (int, error) {
	n, err := s.l.conn.Read(p)
	if n > 0 && s.l.hooks.seen != nil {
		s.l.hooks.seen()
	}
	return n, err
}
