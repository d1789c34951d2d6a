package devices

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// An index is the devices of one app in memory, without what only the bucket has: what
// devices say of themselves, and when they were made.
type index struct {
	app string

	mu      sync.RWMutex
	byID    map[key]uint32    // number of a device
	byToken map[string]uint32 // likewise; by what pack has made
	slots   []*device         // by their numbers; nil: free
	free    []uint32          // numbers that are free
	// groups are the devices of an interest or of a user. A group that has none is
	// not there.
	interests, users map[string]*group
	bytes            int64 // of all records in the bucket
	// deleted are devices that this node has removed, and the last revision that they
	// had, until the bucket tells of it.
	deleted map[key]uint64
	// loading says that groups are not in order yet. Nobody reads them until sort.
	loading bool
}

func newIndex(app string) *index {
	return &index{
		app: app, byID: map[key]uint32{}, byToken: map[string]uint32{},
		interests: map[string]*group{}, users: map[string]*group{}, deleted: map[key]uint64{},
	}
}

// A device is what an index has of one. The index's lock guards it.
type device struct {
	key       key
	platform  byte // its place in platforms
	beams     bool
	apple     byte   // its place in environments
	seen      byte   // the reading of the whole bucket that had it last; see Store.follow
	bytes     uint32 // of the record
	revision  uint64
	confirmed int64  // milliseconds
	token     string // packed
	interests []*group
	user      *group                // nil: none
	topic     unique.Handle[string] // many have the same
	vapid     unique.Handle[string]
	rare      *rare // nil: nothing of it
}

// rare is what few devices have.
type rare struct{ mismatched string }

var environments = [...]notification.Environment{"", notification.Auto, notification.Production, notification.Sandbox}

// A group is the devices that have something in common, ordered by their keys.
type group struct {
	name    string
	members []uint32
}

// putLocked makes a device what a record says, if that is newer than what is known of it. A
// token belongs to the device that has confirmed it last. PutLocked returns the device that
// is to be removed because another has its token, if there is one.
func (x *index) putLocked(k key, r *record, size int, revision uint64, reading byte) (loser key, lost bool) {
	if x.knownLocked(k) >= revision {
		x.touchLocked(k, reading)
		return key{}, false
	}
	delete(x.deleted, k)
	packed := pack(r.Platform, r.Token)
	if n, taken := x.byToken[packed]; taken && x.slots[n].key != k {
		other := x.slots[n]
		if other.confirmed > r.Confirmed || other.confirmed == r.Confirmed && bytes.Compare(other.key[:], k[:]) > 0 {
			x.removeLocked(k)
			x.deleted[k] = revision
			return k, true
		}
		loser, lost = other.key, true
		x.deleted[other.key] = other.revision
		x.removeLocked(other.key)
	}
	n, known := x.byID[k]
	if !known {
		n = x.slotLocked()
		x.slots[n] = &device{key: k}
		x.byID[k] = n
	}
	d := x.slots[n]
	if d.token != packed {
		if d.token != "" {
			delete(x.byToken, d.token)
		}
		d.token = packed
		x.byToken[packed] = n
	}
	x.bytes += int64(size) - int64(d.bytes)
	d.fill(r, size, revision, reading)
	x.groupLocked(n, d, r)
	return loser, lost
}

// fill takes what needs no index over.
func (d *device) fill(r *record, size int, revision uint64, reading byte) {
	d.platform = byte(slices.Index(platforms[:], r.Platform))
	d.apple = byte(max(slices.Index(environments[:], r.Environment), 0))
	d.beams = r.API == notification.Beams
	d.bytes, d.revision, d.confirmed = uint32(size), revision, r.Confirmed
	if reading != 0 {
		d.seen = reading
	}
	d.topic, d.vapid = unique.Make(r.Topic), unique.Make(r.VAPIDKey)
	d.rare = nil
	if r.Mismatched != "" {
		d.rare = &rare{r.Mismatched}
	}
}

// groupLocked makes the device a member of what the record names, and of nothing else.
func (x *index) groupLocked(n uint32, d *device, r *record) {
	if !slices.EqualFunc(d.interests, r.Interests, func(g *group, name string) bool { return g.name == name }) {
		d.interests = x.regroupLocked(n, d.interests, r.Interests)
	}
	if d.user != nil && d.user.name != r.User {
		x.leaveLocked(x.users, d.user, n)
		d.user = nil
	}
	if d.user == nil && r.User != "" {
		d.user = x.joinLocked(x.users, r.User, n)
	}
}

// regroupLocked makes a device a member of the interests that are named, which are in
// order like those that it has, and returns them.
func (x *index) regroupLocked(n uint32, was []*group, names []string) []*group {
	next := make([]*group, 0, len(names))
	for _, name := range names {
		for len(was) > 0 && was[0].name < name {
			x.leaveLocked(x.interests, was[0], n)
			was = was[1:]
		}
		if len(was) > 0 && was[0].name == name {
			next, was = append(next, was[0]), was[1:]
			continue
		}
		next = append(next, x.joinLocked(x.interests, name, n))
	}
	for _, g := range was {
		x.leaveLocked(x.interests, g, n)
	}
	return next
}

func (x *index) slotLocked() uint32 {
	if last := len(x.free) - 1; last >= 0 {
		n := x.free[last]
		x.free = x.free[:last]
		return n
	}
	x.slots = append(x.slots, nil)
	return uint32(len(x.slots) - 1)
}

func (x *index) joinLocked(groups map[string]*group, name string, n uint32) *group {
	g := groups[name]
	if g == nil {
		g = &group{name: strings.Clone(name)}
		groups[g.name] = g
	}
	if x.loading {
		g.members = append(g.members, n)
		return g
	}
	g.members = slices.Insert(g.members, x.searchLocked(g, x.slots[n].key), n)
	return g
}

func (x *index) leaveLocked(groups map[string]*group, g *group, n uint32) {
	i := -1
	if x.loading {
		i = slices.Index(g.members, n)
	} else {
		i = x.searchLocked(g, x.slots[n].key)
	}
	g.members = slices.Delete(g.members, i, i+1)
	if len(g.members) == 0 {
		delete(groups, g.name)
	}
}

// searchLocked is the place of the first member that does not come before a key.
func (x *index) searchLocked(g *group, k key) int {
	i, _ := slices.BinarySearchFunc(g.members, k, func(n uint32, k key) int { return bytes.Compare(x.slots[n].key[:], k[:]) })
	return i
}

// sort ends loading.
func (x *index) sort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.loading = false
	inOrder := func(a, b uint32) int { return bytes.Compare(x.slots[a].key[:], x.slots[b].key[:]) }
	for _, groups := range []map[string]*group{x.interests, x.users} {
		for _, g := range groups {
			slices.SortFunc(g.members, inOrder)
		}
	}
}

// knownLocked is the revision of what is known of a device, or of its end.
func (x *index) knownLocked(k key) uint64 {
	known := x.deleted[k]
	if n, ok := x.byID[k]; ok {
		known = max(known, x.slots[n].revision)
	}
	return known
}

func (x *index) touchLocked(k key, reading byte) {
	if n, ok := x.byID[k]; ok && reading != 0 {
		x.slots[n].seen = reading
	}
}

// endLocked makes it true that the bucket has a device no more since a revision.
func (x *index) endLocked(k key, revision uint64) {
	if x.deleted[k] <= revision {
		delete(x.deleted, k)
	}
	if x.knownLocked(k) < revision {
		x.removeLocked(k)
	}
}

// removeLocked takes a device out, if it is there.
func (x *index) removeLocked(k key) {
	n, ok := x.byID[k]
	if !ok {
		return
	}
	d := x.slots[n]
	x.groupLocked(n, d, &record{})
	delete(x.byToken, d.token)
	delete(x.byID, k)
	x.bytes -= int64(d.bytes)
	x.slots[n] = nil
	x.free = append(x.free, n)
}

// dropUntilLocked takes out what is not newer than a revision, and reports whether
// nothing is left.
func (x *index) dropUntilLocked(revision uint64) (empty bool) {
	for _, d := range x.slots {
		if d != nil && d.revision <= revision {
			x.removeLocked(d.key)
		}
	}
	return len(x.byID) == 0
}

// missedLocked takes out what a reading of the whole bucket has not found, which ended
// at a revision.
func (x *index) missedLocked(reading byte, revision uint64) {
	for _, d := range x.slots {
		if d != nil && d.seen != reading && d.revision <= revision {
			x.removeLocked(d.key)
		}
	}
}

// viewLocked is a device as those see it who deliver.
func (x *index) viewLocked(d *device) notification.Device {
	view := notification.Device{
		App: x.app, ID: d.key.String(), API: notification.Native, Platform: platforms[d.platform], Token: unpack(d.token),
		Topic: d.topic.Value(), Environment: environments[d.apple], VAPIDKey: d.vapid.Value(),
		Confirmed: time.UnixMilli(d.confirmed),
	}
	if d.beams {
		view.API = notification.Beams
	}
	if d.user != nil {
		view.User = d.user.name
	}
	if d.rare != nil {
		view.Mismatched = d.rare.mismatched
	}
	return view
}

// memoryLocked is what the index would write of a device if the bucket was lost. What only
// the bucket had is gone.
func (x *index) memoryLocked(d *device) *record {
	v := x.viewLocked(d)
	r := &record{
		API: v.API, Platform: v.Platform, Token: v.Token, Topic: v.Topic, Environment: v.Environment, VAPIDKey: v.VAPIDKey,
		User: v.User, Mismatched: v.Mismatched, Created: d.confirmed, Confirmed: d.confirmed,
	}
	for _, g := range d.interests {
		r.Interests = append(r.Interests, g.name)
	}
	return r
}
