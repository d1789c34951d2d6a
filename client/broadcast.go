package client

import (
	"context"
	"sync"
)

// A broadcast wakes everybody who waits for a change. It is guarded by the lock
// of what changes.
type broadcast struct {
	next chan struct{} // closed at the next change; nil if nobody waits
}

// tellLocked says that something has changed.
func (b *broadcast) tellLocked() {
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// waitLocked returns what is closed at the next change.
func (b *broadcast) waitLocked() <-chan struct{} {
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// await blocks until over, which is called with mu held, says so after one of
// the changes, or until ctx ends.
func await(ctx context.Context, mu sync.Locker, changes *broadcast, over func() (bool, error)) error {
	look := func() (changed <-chan struct{}, ok bool, err error) {
		mu.Lock()
		defer mu.Unlock()
		ok, err = over()
		return changes.waitLocked(), ok, err
	}
	for {
		changed, ok, err := look()
		if ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
