package httpapi

import (
	"slices"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// The path that arrives need not be the path that was signed. A proxy may have
// put slashes in front or stripped the prefix, and proxies and HTTP libraries
// change how a path is escaped. Each path that the client can have signed is a
// form of the path that arrived.
//
// What the request is about is what the form names that was signed, and
// never what another one names. So a signature is good for one resource,
// however the path is written on its way.

// verify tries the forms of the path, and keeps the one that verifies.
func (a *Handler) verify(c *call, params []protocol.Param, signer *protocol.Signer, given string) bool {
	if c.signed(c.path, params, signer, given) {
		c.signedPath = c.path
		return true
	}
	for _, form := range a.otherForms(c) {
		if c.signed(form, params, signer, given) {
			c.signedPath = form
			return true
		}
	}
	return false
}

// otherForms are all forms of the path but the one that arrived. They are
// without or with the prefix, and with one slash in front. All of them, and
// the one that arrived, also come in their other escaping.
func (a *Handler) otherForms(c *call) []string {
	rest := a.rest(c.path)
	plain := []string{c.path, rest, string(a.mount) + rest}
	forms := make([]string, 0, 2*len(plain))
	add := func(form string) {
		if form != c.path && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	for _, form := range plain {
		add(form)
	}
	for _, form := range plain {
		add(c.otherEscaping(form))
	}
	return forms
}

// otherEscaping is the one other way in which a form can have been escaped when
// it was signed. A path with escapes may have got them on its way here, so it is
// decoded. In one without, a proxy may have decoded the name of a channel or the
// id of a user, so that is escaped.
func (c *call) otherEscaping(form string) string {
	if strings.Contains(form, "%") {
		return unescape(form, false)
	}
	front := strings.TrimSuffix(form, c.target+c.behind)
	return front + escape(c.target) + c.behind
}

// escape escapes all that is not unreserved in RFC 3986, as libraries do that
// escape what stands in a path.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// followSignature makes the call about what was signed, where that is not the
// path as it arrived.
func (a *Handler) followSignature(c *call) error {
	switch {
	case c.signedPath == c.path:
		return nil
	case !a.find(c, c.signedPath):
		return errNotFound
	case !c.route.allows(c.r.Method):
		return c.route.errMethod()
	case !c.names(c.app):
		return a.errUnknownKey()
	}
	return nil
}
