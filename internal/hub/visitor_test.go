package hub

import (
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"unsafe"

	"github.com/belfryhq/belfry/internal/intern"
	"github.com/belfryhq/belfry/internal/visitor"
)

// visit connects a client that says more about itself.
func (n *testNode) visit(origin, library, transport, addr string) *client {
	n.t.Helper()
	r := request("key")
	r.Query = url.Values{"protocol": {"7"}, "client": {library}, "version": {"8.4.0"}}
	r.Origin, r.Transport, r.Address = origin, transport, netip.MustParseAddr(addr)
	c, refused := n.dial(r)
	if refused != nil {
		n.t.Fatal(refused)
	}
	return c
}

// TestTextsOfClientsThatAreGoneAreForgotten: so nobody can fill the tables.
func TestTextsOfClientsThatAreGoneAreForgotten(t *testing.T) {
	n := newNode(t)
	var all []*client
	for i := range intern.MaxTexts + 10 {
		all = append(all, n.visit(fmt.Sprint("https://made-up.example:", i), "js", "websocket", "10.0.0.1"))
	}
	last := all[len(all)-1].session
	if got := n.hub.visitors.Origin(last.visitor); got != intern.OtherText {
		t.Errorf("an origin too many is %q", got)
	}
	for _, c := range all {
		c.session.End(Ending{})
		c.session.End(Ending{}) // which does nothing
	}
	fresh := n.visit("https://honest.example", "js", "websocket", "10.0.0.1")
	if got := n.hub.visitors.Origin(fresh.session.visitor); got != "https://honest.example" {
		t.Errorf("the origin is %q when all others are gone", got)
	}
}

// TestSessionStaysSmall holds the bound on what operators cost every idle
// connection: when the server could not say anything about one, it was 176 bytes.
func TestSessionStaysSmall(t *testing.T) {
	const before, budget = 176, 48
	if size := unsafe.Sizeof(Session{}); size > before+budget {
		t.Errorf("a session has %d bytes, want at most %d", size, before+budget)
	}
	if size := unsafe.Sizeof(visitor.Visitor{}); size > 24 {
		t.Errorf("a visitor has %d bytes, want at most 24", size)
	}
	if size := unsafe.Sizeof(subscription{}); size > 48 {
		t.Errorf("a subscription has %d bytes, want at most 48", size)
	}
}
