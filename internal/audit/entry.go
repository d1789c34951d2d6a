package audit

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/access"
)

// An Entry is one thing that somebody did, or was refused. It holds no secret and
// nothing that clients are sent.
type Entry struct {
	ID      uint64      `json:"id"` // grows
	At      time.Time   `json:"at"`
	Node    string      `json:"node"`           // that was asked
	Who     string      `json:"who,omitempty"`  // name of the token, or operator; empty: nobody knows
	Role    access.Role `json:"role,omitempty"` // of who asked
	Via     access.Via  `json:"via,omitempty"`
	Address string      `json:"address,omitempty"`  // from which it was asked
	Action  string      `json:"action"`             // a call, as METHOD path, or one of the words below
	App     string      `json:"app,omitempty"`      // that it was about
	Target  string      `json:"target,omitempty"`   // in the app or the service: a key, a token, a socket
	Detail  string      `json:"detail,omitempty"`   // what was changed
	Status  int         `json:"status"`             // of the answer
	Left    int         `json:"left_out,omitempty"` // refusals before this one, for which there was no room
}

// Actions that are no calls.
const (
	Login      = "login"
	Logout     = "logout"
	WrongToken = "wrong token"
	// Payloads is that somebody looked at what an app sends. It is written down once an
	// hour for each who does.
	Payloads = "payloads seen"
)

// maxText is how many bytes of a text that comes from outside are kept.
const maxText = 500

// cut bounds what comes from outside.
func (e *Entry) cut() {
	for _, text := range []*string{&e.Who, &e.App, &e.Target, &e.Detail, &e.Address} {
		if len(*text) > maxText {
			*text = string([]rune(*text)[:min(len([]rune(*text)), maxText/4)]) + "…"
		}
	}
}

type draftKey struct{}

// NewContext returns the context of a request about which an entry will be written.
func NewContext(ctx context.Context, draft *Entry) context.Context {
	return context.WithValue(ctx, draftKey{}, draft)
}

// Of is the entry that will be written about a request. Whoever answers it says there what
// the path does not. If none will be written, it is one that nobody reads.
func Of(ctx context.Context) *Entry {
	if draft, ok := ctx.Value(draftKey{}).(*Entry); ok {
		return draft
	}
	return new(Entry)
}
