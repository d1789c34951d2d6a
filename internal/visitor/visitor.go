// Package visitor remembers for operators how the clients of connections came, in
// few bytes for each: what many have in common, such as origins and libraries,
// is kept once.
//
// A [Table] is safe for concurrent use; its locks are leaves. A [Visitor] is a value.
package visitor

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/intern"
	"github.com/belfryhq/belfry/protocol"
)

// A Table has the texts that visitors have in common: origins, libraries with their
// versions, transports.
type Table struct{ origins, libraries, transports intern.Table }

// A Claim is what a client says of itself, and what its connection shows.
type Claim struct {
	Query     url.Values
	Address   netip.Addr // invalid: unknown
	Origin    string
	Transport string
	Secure    bool
}

// A Visitor is what is remembered of a client: 24 bytes.
type Visitor struct {
	addr      [16]byte // as IPv6; zero: unknown
	origin    intern.Ref
	library   intern.Ref // its name and its version, joined by a NUL
	transport intern.Ref
	protocol  uint8
	secure    bool
}

// Remember returns what is remembered of a client. Call Forget.
func (t *Table) Remember(c Claim) Visitor {
	v := Visitor{
		origin:    t.origins.Take(c.Origin),
		library:   t.libraries.Take(libraryOf(c.Query)),
		transport: t.transports.Take(c.Transport),
		secure:    c.Secure,
	}
	if c.Address.IsValid() {
		v.addr = c.Address.As16()
	}
	if version, err := protocol.Version(c.Query, 0); err == nil {
		v.protocol = uint8(version)
	}
	return v
}

// Forget is called once for what Remember has returned.
func (t *Table) Forget(v Visitor) {
	t.origins.Drop(v.origin)
	t.libraries.Drop(v.library)
	t.transports.Drop(v.transport)
}

// libraryOf is what a client says that it is.
func libraryOf(query url.Values) string {
	name, version := query.Get("client"), query.Get("version")
	if name == "" && version == "" {
		return ""
	}
	return name + "\x00" + version
}

// Origin is that of the page that has connected, or empty.
func (t *Table) Origin(v Visitor) string { return t.origins.Text(v.origin) }

// Transport is how the client came.
func (t *Table) Transport(v Visitor) string { return t.transports.Text(v.transport) }

// Library is what the client says that it is.
func (t *Table) Library(v Visitor) (name, version string) {
	name, version, _ = strings.Cut(t.libraries.Text(v.library), "\x00")
	return name, version
}

// Address is the client's, or the zero Addr.
func (v Visitor) Address() netip.Addr {
	if v.addr == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16(v.addr).Unmap()
}

// Protocol is the version that the client has named, or 0.
func (v Visitor) Protocol() int { return int(v.protocol) }

// Secure reports whether the client came over TLS.
func (v Visitor) Secure() bool { return v.secure }
