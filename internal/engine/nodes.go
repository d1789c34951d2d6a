package engine

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// lookupTimeout bounds how long names of nodes are asked for. What is not
// known then is asked for again by the server, whenever it connects.
const lookupTimeout = 5 * time.Second

// nodes is what a list of addresses stands for.
type nodes struct {
	others  []string // each once, without this node
	several string   // a name that stands for more than one; empty: none does
}

// findNodes resolves the addresses of a list. A name for one node stays a
// name, so that the node may move. A name for several is taken apart, because
// the server would connect to one of them only; and it is kept as well, for
// nodes that appear later.
func findNodes(list []string, own map[netip.AddrPort]bool) nodes {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	var found nodes
	seen := map[string]bool{}
	add := func(key, address string) {
		if !seen[key] {
			seen[key] = true
			found.others = append(found.others, address)
		}
	}
	for _, address := range list {
		at := resolve(ctx, address)
		theirs := slices.DeleteFunc(slices.Clone(at), func(a netip.AddrPort) bool { return own[a] })
		switch {
		case len(at) == 0: // perhaps later
			add(address, address)
		case len(theirs) == 0: // this node
		case len(at) == 1 || oneNode(at):
			if len(theirs) == len(at) {
				add(theirs[0].String(), address)
			}
		default:
			found.several = address
			for _, a := range theirs {
				add(a.String(), a.String())
			}
		}
	}
	return found
}

// oneNode reports whether addresses are one node's in both families.
func oneNode(at []netip.AddrPort) bool {
	return len(at) == 2 && at[0].Addr().Is4() != at[1].Addr().Is4()
}

// resolve is where an address leads to, in a fixed order.
func resolve(ctx context.Context, address string) []netip.AddrPort {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	var list []netip.AddrPort
	for _, ip := range ips {
		list = append(list, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list)
}

// ownAddresses are those that lead to this node.
func ownAddresses(listen, advertise string) map[netip.AddrPort]bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	own := map[netip.AddrPort]bool{}
	for _, a := range append(resolve(ctx, listen), resolve(ctx, advertise)...) {
		own[a] = true
	}
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return own
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return own
	}
	port, _ := strconv.ParseUint(text, 10, 16)
	interfaces, _ := net.InterfaceAddrs() // without them, this node counts twice, and more others must be there
	for _, a := range interfaces {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own[netip.AddrPortFrom(prefix.Addr().Unmap(), uint16(port))] = true
		}
	}
	return own
}
