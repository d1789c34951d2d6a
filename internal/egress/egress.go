// Package egress is the way of requests to addresses that others have named: backends,
// or whoever registers a device. What they name is not to lead into our networks.
//
// Addresses are judged when they are dialed, after names were resolved, so that no name
// can be public at first and private later. The package does not know what is sent. It
// takes no locks.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbidden says that an endpoint is at an address that is not public.
var ErrForbidden = errors.New("address is not public and not among the allowed networks")

// private are the networks that no endpoint on the internet can be in: what
// an app's owner may name is not to reach into ours. Of RFC 6890 and the
// registries that follow it, and the addresses where clouds answer their own
// machines.
var private = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure
	"::/96", "::1/128", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// embedded are networks whose addresses stand for one of IPv4, and where in
// them it stands.
var embedded = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},   // mapped
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // translated
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
}

// translators are networks that lead to IPv4 addresses which can not be told.
var translators = prefixes("64:ff9b:1::/48")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Permit returns [ErrForbidden] for an address that an endpoint must not be at. Those
// in allowed networks may be private.
func Permit(a netip.Addr, allowed []netip.Prefix) error {
	a = a.Unmap().WithZone("")
	if within(allowed, a) {
		return nil
	}
	if within(private, a) || within(translators, a) {
		return fmt.Errorf("%s: %w", a, ErrForbidden)
	}
	if a.Is6() {
		bytes := a.As16()
		for _, e := range embedded {
			if e.prefix.Contains(a) {
				return Permit(netip.AddrFrom4([4]byte(bytes[e.at:e.at+4])), allowed)
			}
		}
	}
	return nil
}

// Config says how endpoints are reached.
type Config struct {
	// ConnectTimeout bounds a connection to be made, and its handshake of TLS. Zero
	// means no bound.
	ConnectTimeout time.Duration
	// AllowedNetworks may be reached although they are private; all others that are
	// not public are refused.
	AllowedNetworks []netip.Prefix
	// IdlePerHost is how many connections to one host are kept for later. Zero means
	// the two of net/http.
	IdlePerHost int
	// MaxHeader is how many bytes of an answer's header are read. Zero means the
	// limit of net/http.
	MaxHeader int64
}

// Dialer returns what connects to allowed addresses alone.
func Dialer(c Config) *net.Dialer {
	return &net.Dialer{
		Timeout:   c.ConnectTimeout,
		KeepAlive: 30 * time.Second,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return ErrForbidden
			}
			return Permit(at.Addr(), c.AllowedNetworks)
		},
	}
}

// NewTransport returns the way to endpoints. It uses no proxy: that would dial for us,
// wherever it is asked to. Used as it is, without a client, it follows no redirects.
func NewTransport(c Config) *http.Transport {
	return &http.Transport{
		DialContext:            Dialer(c).DialContext,
		Proxy:                  nil,
		TLSHandshakeTimeout:    c.ConnectTimeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    c.IdlePerHost,
		MaxIdleConns:           1000,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: c.MaxHeader,
	}
}
