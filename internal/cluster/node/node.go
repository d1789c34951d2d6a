// Package node names the processes of a cluster. It knows nothing about them.
package node

import "crypto/rand"

// An ID is an incarnation of a node: one life of its process, from a start to
// an end, or to the moment when the others have given it up. It is random, so
// that what an earlier life said is never taken for what this one says. It
// consists of letters and digits. The zero value is nobody.
type ID string

// NewID returns an id that nobody has.
func NewID() ID { return ID(rand.Text()[:16]) }

// Valid reports whether the id has the form of one. It is asked of every id
// that comes from outside.
func (id ID) Valid() bool {
	if len(id) != 16 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !('A' <= c && c <= 'Z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}
