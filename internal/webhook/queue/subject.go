package queue

import (
	"fmt"
	"strconv"
	"strings"
)

// queueSubjects begins the subjects of records. They go on with the owner, the
// app and the endpoint.
const queueSubjects = "belfry.webhooks.queue."

// prefix is what the subjects of an owner's queue begin with.
func (o Owner) prefix() string { return queueSubjects + string(o) + "." }

// OwnerOf is the owner that a node is in no cluster, by its name, which may be
// empty.
func OwnerOf(node string) Owner { return Owner(escape(node)) }

// subject is the end of the subjects of an address.
func (a Address) subject() string { return escape(a.App) + "." + escape(a.Endpoint) }

// escape makes one token of a name, reversibly.
func escape(name string) string {
	plain := func(b byte) bool {
		return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
	}
	var b strings.Builder
	for i := range len(name) {
		if plain(name[i]) {
			b.WriteByte(name[i])
		} else {
			fmt.Fprintf(&b, "%%%02x", name[i])
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}

func unescape(token string) (string, bool) {
	if token == "%" {
		return "", true
	}
	var b []byte
	for len(token) > 0 {
		if token[0] != '%' {
			b, token = append(b, token[0]), token[1:]
			continue
		}
		if len(token) < 3 {
			return "", false
		}
		n, err := strconv.ParseUint(token[1:3], 16, 8)
		if err != nil {
			return "", false
		}
		b, token = append(b, byte(n)), token[3:]
	}
	return string(b), true
}

func parseSubject(subject, prefix string) (Address, bool) {
	app, endpoint, found := strings.Cut(strings.TrimPrefix(subject, prefix), ".")
	a, ok1 := unescape(app)
	e, ok2 := unescape(endpoint)
	return Address{a, e}, found && ok1 && ok2
}
