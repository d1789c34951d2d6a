package lane

import (
	"cmp"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// A Trouble is why a lane does not take notifications now.
type Trouble struct {
	Key        Key
	Credential string    // that the provider refuses; empty: it is all that use the lane
	Reason     string    // in the provider's word, or in ours
	Since      time.Time // of the first failure in a row
	Next       time.Time // when it is tried again
}

// Troubles are those of all lanes, in the order of their keys.
func (l *Lanes) Troubles() (all []Trouble) {
	now := time.Now()
	for _, n := range l.list() {
		n.mu.Lock()
		if now.Before(n.until) || n.suspect {
			all = append(all, Trouble{Key: n.key, Reason: n.reason, Since: n.since, Next: n.until})
		}
		for credential, r := range n.refused {
			all = append(all, Trouble{n.key, credential, r.reason, r.since, r.next})
		}
		n.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(a.Key.Platform, b.Key.Platform), cmp.Compare(a.Key.To, b.Key.To), cmp.Compare(a.Credential, b.Credential))
	})
	return all
}

// A Depth is what lanes of a platform have to do.
type Depth struct{ Waiting, UnderWay, Paused, Refused int }

// Depths are those of each platform that has lanes.
func (l *Lanes) Depths() map[notification.Platform]Depth {
	all := make(map[notification.Platform]Depth)
	now := time.Now()
	for _, n := range l.list() {
		n.mu.Lock()
		d := all[n.key.Platform]
		d.Waiting += n.waiting
		d.UnderWay += n.under
		d.Refused += len(n.refused)
		if now.Before(n.until) {
			d.Paused++
		}
		all[n.key.Platform] = d
		n.mu.Unlock()
	}
	return all
}
