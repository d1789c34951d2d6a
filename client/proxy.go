package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// dialProxy opens a tunnel to address through a proxy.
func dialProxy(ctx context.Context, cfg *Config, proxy *url.URL, address string) (raw, conn net.Conn, err error) {
	port, tunnel := "80", httpTunnel
	switch proxy.Scheme {
	case "http":
	case "https":
		port = "443"
	case "socks5", "socks5h":
		port, tunnel = "1080", socksTunnel
	default:
		return nil, nil, fmt.Errorf("proxy: the scheme %q is not known", proxy.Scheme)
	}
	host := proxy.Host
	if proxy.Port() == "" {
		host = net.JoinHostPort(proxy.Hostname(), port)
	}
	if raw, err = cfg.DialContext(ctx, "tcp", host); err != nil {
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn = raw
	if proxy.Scheme == "https" {
		conn, err = startTLS(ctx, raw, cfg.TLSConfig, proxy.Hostname())
	}
	if err == nil {
		conn, err = tunnel(conn, proxy, address)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		if isType[*DialError](err) {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	return raw, conn, nil
}

// httpTunnel asks an HTTP proxy for a tunnel.
func httpTunnel(conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{},
	}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, refused(WebSocket, response)
	}
	if r.Buffered() > 0 {
		return nil, errors.New("data in front of the tunnel")
	}
	return conn, nil
}

// socksTunnel asks a SOCKS 5 proxy for a tunnel (RFC 1928 and 1929). The name
// of the host is for the proxy to look up.
func socksTunnel(conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	method := byte(0) // no authentication
	if proxy.User != nil {
		method = 2 // user name and password
	}
	if err := converse(conn, []byte{5, 1, method}, []byte{5, method}); err != nil {
		return nil, err
	}
	if proxy.User != nil {
		user := proxy.User.Username()
		password, _ := proxy.User.Password()
		if len(user) > 255 || len(password) > 255 {
			return nil, errors.New("user name or password is too long")
		}
		login := append([]byte{1, byte(len(user))}, user...)
		login = append(append(login, byte(len(password))), password...)
		if err := converse(conn, login, []byte{1, 0}); err != nil {
			return nil, err
		}
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || len(host) > 255 {
		return nil, fmt.Errorf("the address %s is not one for SOCKS", address)
	}
	request := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
	if err := converse(conn, append(request, byte(port>>8), byte(port)), []byte{5, 0, 0}); err != nil {
		return nil, err
	}
	return conn, skipAddress(conn)
}

// converse sends a message and checks the answer.
func converse(conn net.Conn, message, want []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("refused with % x", got)
	}
	return nil
}

// skipAddress reads the address that a SOCKS proxy names in its answer.
func skipAddress(conn net.Conn) error {
	var kind [2]byte // and the first byte of what follows
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return err
	}
	rest := 0
	switch kind[0] {
	case 1:
		rest = 4 - 1 + 2
	case 3:
		rest = int(kind[1]) + 2
	case 4:
		rest = 16 - 1 + 2
	default:
		return errors.New("an address of an unknown kind")
	}
	_, err := io.CopyN(io.Discard, conn, int64(rest))
	return err
}
