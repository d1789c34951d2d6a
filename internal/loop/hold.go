package loop

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// An Owned handler says on whose behalf its peer acts, so that what some peers
// send can be held back, and not what all do; see [Group.HoldOwner].
type Owned interface {
	// Owner is called on the goroutine of the socket's loop. Empty is nobody.
	Owner() string
}

// holds are the owners that are held back. While there are none, nobody is
// asked for one.
type holds struct {
	some atomic.Pointer[map[string]*gate] // replaced as a whole; nil: none

	mu sync.Mutex // for changes
}

// of returns what an owner waits for, or nil.
func (h *holds) of(owner string) *gate {
	some := h.some.Load()
	if some == nil {
		return nil
	}
	return (*some)[owner]
}

// change replaces the gate of an owner and returns the one before. Nil is none.
func (h *holds) change(owner string, to *gate) (was *gate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]*gate)
	if some := h.some.Load(); some != nil {
		maps.Copy(next, *some)
	}
	was = next[owner]
	next[owner] = to
	if to == nil {
		delete(next, owner)
	}
	h.some.Store(&next)
	if len(next) == 0 {
		h.some.Store(nil)
	}
	return was
}

// HoldOwner makes the sockets of an owner wait: what their peers have sent and
// is not read yet is not read until [Group.ReleaseOwner]. Others do not notice.
// It does not block. Each owner is held once at a time.
func (g *Group) HoldOwner(owner string) {
	shut := &gate{}
	shut.close()
	g.holds.change(owner, shut)
}

// ReleaseOwner takes HoldOwner back.
func (g *Group) ReleaseOwner(owner string) {
	was := g.holds.change(owner, nil)
	if was == nil {
		return
	}
	was.lift()
	for _, l := range g.loops {
		l.Post(func(int) { l.release(owner) }, 1)
	}
}

// AdmitOwner waits like [Group.Admit], and also while the owner is held. It is
// for what comes in by other ways than a socket's link.
func (g *Group) AdmitOwner(ctx context.Context, owner string) error {
	for {
		if err := g.gate.wait(ctx); err != nil {
			return err
		}
		shut := g.holds.of(owner)
		if shut == nil || g.gate.lifted.Load() {
			return nil
		}
		if err := shut.wait(ctx); err != nil {
			return err
		}
	}
}

// Held reports whether an owner is held.
func (g *Group) Held(owner string) bool { return g.holds.of(owner) != nil }

// hold reports whether the socket's owner is held. Then its handler gets
// nothing more, beginning with what it was handed early, until the release.
func (s *Socket) hold(early []byte) bool {
	g := s.loop.group
	if g.holds.some.Load() == nil || s.dropped {
		return false
	}
	h, ok := s.handler.(Owned)
	if !ok {
		return false
	}
	owner := h.Owner()
	if g.holds.of(owner) == nil {
		return false
	}
	if s.loop.held == nil {
		s.loop.held = make(map[string][]heldBack)
	}
	s.unread = true
	if l, ok := s.link.(pauser); ok {
		l.pause()
	}
	s.loop.held[owner] = append(s.loop.held[owner], heldBack{s, early})
	return true
}

// A pauser is a link that would be told in every turn that there is something
// to read. [Link.Resume] ends the pause.
type pauser interface{ pause() }

// A heldBack socket waits for its owner's release.
type heldBack struct {
	socket *Socket
	early  []byte // what its handler gets first
}

// releaseSlice is how many sockets go on in one turn, so that those of others
// do not wait for many.
const releaseSlice = 256

// release lets the sockets of an owner go on that were held back, unless it is
// held again.
func (l *Loop) release(owner string) {
	list := l.held[owner]
	if len(list) == 0 || l.group.Held(owner) {
		return
	}
	n := min(len(list), releaseSlice)
	if len(list) > n {
		l.held[owner] = list[n:]
		l.Post(func(int) { l.release(owner) }, 1)
	} else {
		delete(l.held, owner)
	}
	for _, one := range list[:n] {
		if one.socket.at >= 0 {
			one.socket.resume(one.early)
		}
	}
	clear(list[:n])
}
