package hub

import (
	"net/netip"
	"time"

	"github.com/belfryhq/belfry/internal/intern"
	"github.com/belfryhq/belfry/protocol"
)

// visitors are the texts that sessions have in common: origins, libraries with
// their versions, transports.
type visitors struct{ origins, libraries, transports intern.Table }

// A visitor is what a session remembers of how its client came: 24 bytes, for
// operators. It is immutable.
type visitor struct {
	addr      [16]byte // as IPv6; zero: unknown
	origin    intern.Ref
	library   intern.Ref // its name and its version, joined by a NUL
	transport intern.Ref
	protocol  uint8
	secure    bool
}

// remember returns what a session remembers of a request. Call forget.
func (v *visitors) remember(r Request) visitor {
	it := visitor{
		origin:    v.origins.Take(r.Origin),
		library:   v.libraries.Take(libraryOf(r)),
		transport: v.transports.Take(r.Transport),
		secure:    r.Secure,
	}
	if r.Address.IsValid() {
		it.addr = r.Address.As16()
	}
	if version, err := protocol.Version(r.Query, 0); err == nil {
		it.protocol = uint8(version)
	}
	return it
}

// forget is called once for what remember has returned.
func (v *visitors) forget(it visitor) {
	v.origins.Drop(it.origin)
	v.libraries.Drop(it.library)
	v.transports.Drop(it.transport)
}

// libraryOf is what a client says that it is.
func libraryOf(r Request) string {
	name, version := r.Query.Get("client"), r.Query.Get("version")
	if name == "" && version == "" {
		return ""
	}
	return name + "\x00" + version
}

// address is the client's, or the zero Addr.
func (it *visitor) address() netip.Addr {
	if it.addr == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16(it.addr).Unmap()
}

// age is for how long there is the hub, in tenths of a second.
func (h *Hub) age() uint32 { return uint32(time.Since(h.began) / (100 * time.Millisecond)) }

// joinedAt is when a session got its place, to a tenth of a second, and never
// before its connection began. It runs on the session's loop.
func (h *Hub) joinedAt(st *seat) time.Time {
	joined := h.began.Add(time.Duration(st.joined) * 100 * time.Millisecond).Round(0)
	if began := time.Unix(0, st.session.began); began.After(joined) {
		return began
	}
	return joined
}
