// Package forwarded knows what proxies in front of the service say of the
// requests that they pass on, and whom of them to believe.
//
// It takes no locks and keeps nothing.
package forwarded

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the peers that are believed. What others say of
// a request may be their invention, and means nothing.
type Proxies []netip.Prefix

// Has reports whether an address is that of a proxy that is believed.
func (p Proxies) Has(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// Secure reports whether the client of a request used TLS, to us or to a proxy
// that is believed (X-Forwarded-Proto).
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	// Proxies that do not replace the header append to it, or another line
	// of it. So only its end is what the peer says; a client can have
	// written the rest.
	said := strings.Join(r.Header["X-Forwarded-Proto"], ",")
	proto := strings.ToLower(strings.TrimSpace(said[strings.LastIndexByte(said, ',')+1:]))
	if proto != "https" && proto != "wss" {
		return false
	}
	peer, ok := Peer(r)
	return ok && p.Has(peer)
}

// Client returns the address of the client of a request (X-Forwarded-For).
// Proxies append whom they heard from, so the list is read from its end, as far
// as it is that of proxies that are believed. If nobody else is named, the
// client is not known.
func (p Proxies) Client(r *http.Request) (netip.Addr, bool) {
	peer, ok := Peer(r)
	if !ok || !p.Has(peer) {
		return peer, ok
	}
	list := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, text := range slices.Backward(list) {
		text = strings.TrimSpace(text)
		if host, _, err := net.SplitHostPort(text); err == nil {
			text = host
		}
		addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
		if err != nil {
			break
		}
		if addr = addr.Unmap(); !p.Has(addr) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// Peer returns the address that a request came from. A socket of the file
// system has none.
func Peer(r *http.Request) (netip.Addr, bool) {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap(), err == nil
}
