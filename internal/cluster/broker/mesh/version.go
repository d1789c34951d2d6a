package mesh

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// maxForeign is how many nodes of other versions are told apart.
const maxForeign = 32

// A Foreign is a node that speaks another version of the packets, and is not heard
// for that.
type Foreign struct {
	ID      node.ID
	Version int // of its packets
}

// foreigners are the nodes of other versions. The dispatcher adds them, under mu.
type foreigners struct {
	mu    sync.Mutex
	heard map[Foreign]time.Time // when last
}

// hear notes a node, and reports whether it is new.
func (f *foreigners) hear(n Foreign, now time.Time) (fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.heard[n]
	if !known && len(f.heard) >= maxForeign {
		return false
	}
	if f.heard == nil {
		f.heard = make(map[Foreign]time.Time)
	}
	f.heard[n] = now
	return !known
}

// Foreign returns the nodes of other versions that were heard lately, by id.
func (m *Mesh) Foreign() (list []Foreign) {
	f := &m.foreigners
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, at := range f.heard {
		if time.Since(at) > m.cfg.Lease+m.cfg.Grace {
			delete(f.heard, n)
			continue
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Foreign) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list
}

// Version is that of this node's packets. Nodes of two versions do not hear each
// other.
const Version = version

// ofOtherVersion returns who has sent a packet of another version.
func ofOtherVersion(b []byte) (n Foreign, ok bool) {
	if len(b) < prefixLen || b[0] != magic || b[1] == version {
		return Foreign{}, false
	}
	n = Foreign{ID: node.ID(b[3:prefixLen]), Version: int(b[1])}
	return n, n.ID.Valid()
}

// refuseVersion notes a packet of another version. It is told once for each node.
func (m *Mesh) refuseVersion(n Foreign) {
	m.counts.refused.Inc()
	if m.foreigners.hear(n, time.Now()) {
		m.log.Error("a node of another release is not heard: all nodes need releases that understand each other",
			"node", string(n.ID), "its_version", n.Version, "our_version", version)
	}
}
