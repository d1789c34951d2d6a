package client

// A fifo is a queue of values in a ring that grows as needed. The zero fifo is
// empty.
type fifo[T any] struct {
	ring []T
	head int // index of the oldest
	n    int
}

func (f *fifo[T]) len() int { return f.n }

func (f *fifo[T]) push(v T) {
	if f.n == len(f.ring) {
		grown := make([]T, max(4, 2*len(f.ring)))
		n := copy(grown, f.ring[f.head:])
		copy(grown[n:], f.ring[:f.head])
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.n)%len(f.ring)] = v
	f.n++
}

// front is the oldest value, which there has to be.
func (f *fifo[T]) front() *T { return &f.ring[f.head] }

// pop takes the oldest value, which there has to be. A ring that gets empty is
// given back if it is large.
func (f *fifo[T]) pop() T {
	var zero T
	v := f.ring[f.head]
	f.ring[f.head] = zero
	f.head = (f.head + 1) % len(f.ring)
	if f.n--; f.n == 0 && len(f.ring) > 64 {
		f.ring, f.head = nil, 0
	}
	return v
}
