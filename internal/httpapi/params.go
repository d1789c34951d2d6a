package httpapi

import (
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// maxParams bounds how many parameters a query may have, because they are
// sorted before it is known who sent them.
const maxParams = 1024

// appendParams appends the parameters of a query, in their order, with keys
// in lower case. Those without a key are kept and those without a value have
// the empty one.
//
// With decode, escapes and plus signs are taken as forms have them; an escape
// that is none stands for itself. Without, keys and values are as on the wire,
// which is what libraries sign that forget to escape.
//
// It stops after maxParams and one more.
func appendParams(dst []protocol.Param, query string, decode bool) []protocol.Param {
	for query != "" && len(dst) <= maxParams {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if decode {
			key, value = unescape(key, true), unescape(value, true)
		}
		dst = append(dst, protocol.Param{Key: strings.ToLower(key), Value: value})
	}
	return dst
}

// unescape decodes one key or value of a query, or, without plus, a part of a
// path. An escape that is none stands for itself. It allocates only if there
// is something to decode.
func unescape(s string, plus bool) string {
	if !strings.Contains(s, "%") && !(plus && strings.Contains(s, "+")) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+' && plus:
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// isAuthParam reports whether a parameter of the query belongs to the
// signature and not to the call.
func isAuthParam(key string) bool {
	switch key {
	case "auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5":
		return true
	}
	return false
}

// checkExtraneous refuses a call that takes no parameters but was given some.
func (c *call) checkExtraneous() error {
	var extra []string
	for _, p := range c.params {
		if !isAuthParam(p.Key) {
			extra = append(extra, printable(p.Key))
		}
	}
	if extra == nil {
		return nil
	}
	return badRequest("The following query string parameters are extraneous: " + strings.Join(extra, ", "))
}
