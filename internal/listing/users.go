package listing

import (
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

// Users returns users that are signed in on this node or are watched on it, ordered
// by id. They are at most limit of those whose ids begin with prefix and come behind
// after. Next is the id behind which the next page begins, or empty.
func Users(h *hub.Hub, app *apps.App, prefix, after string, limit int) (page []hub.UserInfo, next string) {
	var from *string
	if after != "" {
		from = &after
	}
	more := false
	var first []string
	for some := range h.UserIDs(app, prefix) {
		first, more = mergeFirst(first, some, limit, more, strings.Compare, from)
	}
	for _, id := range first {
		if u := h.UserInfo(app, id); u.Online || u.Watchers > 0 {
			page = append(page, u)
		}
	}
	if more {
		next = first[len(first)-1]
	}
	return page, next
}
