package listing

import (
	"cmp"
	"runtime"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

// An Order is that of a list of channels.
type Order int

// The orders.
const (
	ByName Order = iota
	BySize       // those with the most subscriptions first, then by name
)

// A Place is one in a list of channels, behind the channel of that name and, in the
// order of size, with so many subscriptions.
type Place = hub.Occupancy

func (o Order) compare(a, b Place) int {
	if o == BySize && a.Subscriptions != b.Subscriptions {
		return cmp.Compare(b.Subscriptions, a.Subscriptions)
	}
	return strings.Compare(a.Name, b.Name)
}

// Channels returns the channels of an app, in the whole cluster, whose names begin
// with prefix: at most limit of them, from behind a place on (nil: from the
// beginning). Next is where the next page begins, or nil. What changes meanwhile may
// be left out.
func Channels(h *hub.Hub, app *apps.App, prefix string, order Order, after *Place, limit int) (page []hub.ChannelInfo, next *Place) {
	more := false
	var first []Place
	for some := range h.Occupancies(app, prefix, order == BySize) {
		first, more = mergeFirst(first, some, limit, more, order.compare, after)
		runtime.Gosched() // loops go first: there may be very many channels
	}
	for _, place := range first {
		if c, ok := h.ChannelInfo(app, place.Name); ok {
			page = append(page, c)
		}
	}
	if more {
		next = &first[len(first)-1]
	}
	return page, next
}
