package access

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// A Role says what somebody may do. Each may do what those before it may.
type Role string

// The roles, from the one that may do the least.
const (
	// Viewer sees how apps are doing, but neither what is sent nor addresses.
	Viewer Role = "viewer"
	// Developer also sees what is sent, and finds out what became of it.
	Developer Role = "developer"
	// AppAdmin also changes apps, their keys and their webhooks.
	AppAdmin Role = "app-admin"
	// Operator may do everything, to all apps and to the service.
	Operator Role = "operator"
)

// Roles are all roles, from the one that may do the least.
var Roles = []Role{Viewer, Developer, AppAdmin, Operator}

// AtLeast reports whether the role may do what the other one may. A role that is
// none of [Roles] may do nothing, and nobody may do what is for such a role.
func (r Role) AtLeast(least Role) bool {
	have, want := slices.Index(Roles, r), slices.Index(Roles, least)
	return have >= 0 && want >= 0 && have >= want
}

// AllApps stands in a list of apps for all of them.
const AllApps = "*"

// A Principal is who asks.
type Principal struct {
	Name string `json:"name"` // for people
	Role Role   `json:"role"`
	// Apps are the ids of the apps that the principal sees, or [AllApps].
	Apps []string `json:"apps"`
	Via  Via      `json:"via"`
	// From is the address that the principal asks from, as far as it is known.
	From string `json:"-"`
	// Stale says that the principal uses a session, and has shown who he is longer ago
	// than what can not be undone asks for.
	Stale bool `json:"-"`
}

// operatorName is that of whoever has the token of the service.
const operatorName = "operator"

// operator is whoever has the token of the service.
func operator(via Via) Principal {
	return Principal{Name: operatorName, Role: Operator, Apps: []string{AllApps}, Via: via}
}

// Sees reports whether the principal may know of an app.
func (p Principal) Sees(app string) bool { return p.SeesAll() || slices.Contains(p.Apps, app) }

// SeesAll reports whether the principal may know of all apps.
func (p Principal) SeesAll() bool { return slices.Contains(p.Apps, AllApps) }

// ReadsPayloads reports whether the principal may see what is sent.
func (p Principal) ReadsPayloads() bool { return p.Role.AtLeast(Developer) }

// Address is what the principal is told of the address of a client: operators all of
// it, others the network of a few hundred that it is in.
func (p Principal) Address(text string) string {
	addr, err := netip.ParseAddr(text)
	if err != nil || p.Role == Operator {
		return text
	}
	network, err := addr.WithZone("").Prefix(networkBits(addr))
	if err != nil {
		return ""
	}
	return network.String()
}

// MayAskFor reports whether the principal may ask who comes from a network.
func (p Principal) MayAskFor(network netip.Prefix) bool {
	return p.Role == Operator || network.Bits() <= networkBits(network.Addr())
}

// networkBits is how much of an address is told.
func networkBits(addr netip.Addr) int {
	if addr.Is4() {
		return 24
	}
	return 48
}

// Via is how somebody has shown who he is.
type Via string

// The ways in.
const (
	ViaToken Via = "token" // in the request itself
	ViaLogin Via = "login" // a session that began with a token
	ViaCode  Via = "code"  // a session that began with a code of the command line
	ViaOpen  Via = "open"  // a session for which nobody had to show anything
)

type principalKey struct{}

// NewContext returns the context of a request of somebody.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who asks, in a request that was let through. In any other it is
// somebody who sees nothing and may do nothing.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// A Token is a named token, as long as it is valid. It is immutable.
type Token struct {
	Name string
	Role Role
	Apps []string // ids, or AllApps
	// Life ends with the token: when it was revoked or changed, or has expired.
	Life context.Context
}

// Tokens are the named tokens of a service. It is safe for concurrent use.
type Tokens interface {
	// Find returns the valid token that has this secret, or nil. An error says that
	// this can not be known at the moment.
	Find(secret string) (*Token, error)
}

// TokenPrefix begins the secret of every named token, so that one is known for what
// it is wherever it is found.
const TokenPrefix = "belfry_"

// named reports whether a secret looks like that of a named token.
func named(secret string) bool { return strings.HasPrefix(secret, TokenPrefix) }
