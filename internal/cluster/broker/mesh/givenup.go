package mesh

import "github.com/belfryhq/belfry/internal/cluster/node"

// givenUp is how far links had come that were given up. The peer at the other
// end may have noticed nothing, and send again what was dispatched before.
type givenUp struct {
	links map[node.ID]position
	order []node.ID // of giving up
}

// A position is the last batch of a peer that was dispatched.
type position struct{ epoch, number uint64 }

// maxGivenUp is how many are remembered, the latest ones. Those that have died
// do not come back, and a peer that was cut off does soon or never.
const maxGivenUp = 256

// add remembers a link that was given up.
func (g *givenUp) add(l *link) {
	if g.links == nil {
		g.links = make(map[node.ID]position)
	}
	if _, again := g.links[l.id]; !again {
		g.order = append(g.order, l.id)
	}
	l.mu.Lock()
	g.links[l.id] = position{l.in.epoch, l.in.number}
	l.mu.Unlock()
	if len(g.order) > maxGivenUp {
		delete(g.links, g.order[0])
		g.order = g.order[1:]
	}
}

// resume has a new link go on where an earlier one ended.
func (g *givenUp) resume(l *link) {
	if p, ok := g.links[l.id]; ok {
		l.in.epoch, l.in.number, l.in.given = p.epoch, p.number, p.epoch != 0
	}
}
