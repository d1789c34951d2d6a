package fallback

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// tableShards is how many locks a table is spread over.
const tableShards = 64

// A table finds sessions by what stands in a URL. It is safe for concurrent
// use.
type table struct {
	seed   maphash.Seed
	limit  int64
	size   atomic.Int64
	shards [tableShards]struct {
		sync.Mutex
		sessions map[sessionID]*session
	}
}

func newTable(limit int) *table {
	t := &table{seed: maphash.MakeSeed(), limit: int64(limit)}
	for i := range t.shards {
		t.shards[i].sessions = make(map[sessionID]*session)
	}
	return t
}

// find returns the session of that id, or nil.
func (t *table) find(id sessionID) *session {
	p := &t.shards[maphash.Comparable(t.seed, id)%tableShards]
	p.Lock()
	defer p.Unlock()
	return p.sessions[id]
}

// findOrAdd returns the session of that id, which is the given one if there
// was none. It returns nil if there is no room for another.
func (t *table) findOrAdd(s *session) *session {
	p := &t.shards[maphash.Comparable(t.seed, s.id)%tableShards]
	p.Lock()
	defer p.Unlock()
	if found := p.sessions[s.id]; found != nil {
		return found
	}
	if t.size.Add(1) > t.limit {
		t.size.Add(-1)
		return nil
	}
	p.sessions[s.id] = s
	return s
}

// remove forgets the session, if it is still the one of its id.
func (t *table) remove(s *session) {
	p := &t.shards[maphash.Comparable(t.seed, s.id)%tableShards]
	p.Lock()
	defer p.Unlock()
	if p.sessions[s.id] == s {
		delete(p.sessions, s.id)
		t.size.Add(-1)
	}
}
