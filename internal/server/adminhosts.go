package server

import (
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/belfryhq/belfry/internal/hostname"
)

// adminHosts returns what reports whether the admin listener answers requests
// for a host: by names that the operator has written somewhere and by
// addresses. A page elsewhere can have a name of its own point here, but
// neither one of those names nor an address.
func (c *Config) adminHosts() func(host string) bool {
	listen, _, _ := net.SplitHostPort(c.AdminListen)
	own := []string{hostname.Of(listen), hostname.Of(c.Cluster.Name)}
	for _, address := range append(slices.Clone(c.Cluster.Join), c.Cluster.Advertise) {
		own = append(own, hostname.Of(address))
	}
	if name, err := os.Hostname(); err == nil {
		own = append(own, hostname.Of(name))
	}
	// Nobody comes to a listener on loopback by another address, unless
	// something is between that was told to.
	addresses := !hostname.Loopback(hostname.Of(listen))
	patterns := slices.Clone(c.AdminHosts)
	return func(hostport string) bool {
		host := hostname.Of(hostport)
		if slices.ContainsFunc(patterns, func(p string) bool { return hostname.Match(p, host) }) {
			return true
		}
		if _, err := netip.ParseAddr(host); err == nil && addresses {
			return true
		}
		return hostname.Loopback(host) || host != "" && slices.Contains(own, host)
	}
}
