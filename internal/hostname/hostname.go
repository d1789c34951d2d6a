// Package hostname compares names of hosts as clients send them with patterns
// as people write them.
//
// Clients send names in ASCII: a page of bücher.example says that it is one of
// xn--bcher-kva.example. A pattern is therefore kept in that form, in lower
// case; a * in it matches any run of characters.
//
// The package takes no locks and keeps nothing.
package hostname

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

// Pattern returns a pattern in the form in which [Match] compares it.
func Pattern(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("has an empty element")
	case strings.Contains(text, "://"):
		_, host, _ := strings.Cut(text, "://")
		host, _, _ = strings.Cut(host, "/")
		return "", fmt.Errorf("%q has a scheme; write the host alone, such as %s", text, withoutPort(host))
	case strings.ContainsAny(text, "/ ?#@"):
		return "", fmt.Errorf("%q is not a host or a pattern such as *.example.com", text)
	case withoutPort(text) != text:
		return "", fmt.Errorf("%q has a port; write the host alone, %s", text, withoutPort(text))
	}
	labels := strings.Split(strings.ToLower(text), ".")
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(label)
		if err != nil {
			return "", fmt.Errorf("%q has a part that can not be written in ASCII, as clients send it; write its xn-- form", text)
		}
		labels[i] = ascii
	}
	return strings.Join(labels, "."), nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// Of returns the host of a Host header, or of an address: without a port,
// brackets and a dot at the end, and in lower case.
func Of(hostport string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Trim(withoutPort(hostport), "[]"), "."))
}

// plain is a name or an address with or without a port, and nothing that means
// something else where it is written.
var plain = regexp.MustCompile(`^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$`)

// Plain reports whether a Host header can be written into another header, such as a
// policy. HTTP allows more in it than names have, such as quotes and semicolons.
func Plain(hostport string) bool { return plain.MatchString(hostport) }

// Match reports whether a host is one of those that a pattern of [Pattern]
// means. It is linear in the product of the lengths, however many stars there
// are.
func Match(pattern, host string) bool {
	host = strings.ToLower(host)
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == host
	}
	if !strings.HasPrefix(host, head) {
		return false
	}
	host = host[len(head):]
	for {
		part, tail, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(host, part)
		}
		i := strings.Index(host, part)
		if i < 0 {
			return false
		}
		host, rest = host[i+len(part):], tail
	}
}

// Loopback reports whether a host is this machine wherever it is asked: an
// address, or a name that no server can point elsewhere.
func Loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
