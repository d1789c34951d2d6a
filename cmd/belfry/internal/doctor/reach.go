package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
)

// reach checks the way to the service and reports whether there is one.
func (e *examination) reach(ctx context.Context) bool {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: e.cfg.Base}); err == nil && proxy != nil {
		e.check(ctx, "name", func(context.Context) Finding {
			return skipped("this machine reaches it through the proxy %s, as the environment says", proxy.Host)
		})
		return true
	}
	if !e.check(ctx, "name", e.name) || !e.check(ctx, "port", e.port) {
		return false
	}
	return e.cfg.Base.Scheme != "https" || e.check(ctx, "tls", e.tls)
}

// hostPort is the address of the service, always with a port.
func (e *examination) hostPort() string {
	port := e.cfg.Base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[e.cfg.Base.Scheme]
	}
	return net.JoinHostPort(e.cfg.Base.Hostname(), port)
}

// name looks the host up.
func (e *examination) name(ctx context.Context) Finding {
	host := e.cfg.Base.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return ok("%s is an address; there is no name to look up", host)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	e2, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && e2.IsNotFound:
		return failed("there is no host named "+host, "look for a typing mistake, or add an A or AAAA record for it at whoever serves your domain")
	case err != nil:
		return failed(fmt.Sprintf("%s could not be looked up: %v", host, plain(err)), "the resolver of this machine does not answer; try from another network")
	}
	var texts []string
	for _, a := range addrs {
		texts = append(texts, a.Unmap().String())
	}
	return ok("%s is %s", host, strings.Join(texts, ", "))
}

// port opens a connection to each address: one that does not answer makes some
// clients wait.
func (e *examination) port(ctx context.Context) Finding {
	host, port, _ := net.SplitHostPort(e.hostPort())
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return failed(fmt.Sprintf("%s could not be looked up: %v", host, plain(err)), "try again")
	}
	share := e.cfg.Timeout / 2
	var good, bad []string
	var last error
	for _, a := range addrs {
		address := net.JoinHostPort(a.Unmap().String(), port)
		d := net.Dialer{Timeout: share}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			bad, last = append(bad, address), err
			continue
		}
		conn.Close()
		good = append(good, address)
	}
	switch {
	case len(good) == 0 && errors.Is(last, syscall.ECONNREFUSED):
		return failed("nothing listens on "+strings.Join(bad, ", "), "is the service running there, on that port? A service in a container may need its port published")
	case len(good) == 0:
		return failed(fmt.Sprintf("%s can not be reached: %v", strings.Join(bad, ", "), plain(last)), "is a firewall between here and there, and does it let this port through?")
	case len(bad) > 0:
		return warning(fmt.Sprintf("%s answers and %s does not: %v", strings.Join(good, ", "), strings.Join(bad, ", "), plain(last)),
			"clients that try the other address first wait; make it answer, or take it out of the name")
	}
	return ok("%s takes connections", strings.Join(good, ", "))
}

// tlsConfig is what every connection of the examination verifies with.
func (e *examination) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: e.cfg.RootCAs, ServerName: e.cfg.Base.Hostname()}
}

// plain is the cause of an error of package net, without addresses that were
// said already.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		if e.Timeout() {
			return errors.New("no answer in time")
		}
		return e.Err
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(e.Err)
	}
	return err
}
