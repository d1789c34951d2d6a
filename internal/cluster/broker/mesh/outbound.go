package mesh

// A batch is a packet of messages that is being filled, or waits to be sent,
// or to be confirmed. A link numbers its batches from 1.
type batch struct {
	buf      []byte // begins with room for the header
	number   uint64
	messages int
	lost     bool // messages were lost before it
	ask      bool // the peer is to confirm it at once
	sent     bool // nothing is added to it any more
	sending  bool // the writer has it in hand
	next     *batch
}

const (
	// smallBatch is what a batch has room for at first: while little is sent,
	// each has one message and waits to be confirmed. Larger ones are not used
	// again, so that a small message does not hold a large one's memory.
	smallBatch = 256
	keptBatch  = 4 << 10
	// batchOverhead is what a batch costs beside its bytes.
	batchOverhead = 96
)

// cost is how much a batch counts towards what may wait for a peer: the memory
// that it takes.
func (b *batch) cost() int { return cap(b.buf) + batchOverhead }

// packetCost is about what a packet cost its sender.
func packetCost(size int) uint64 { return uint64(size + batchOverhead) }

func (m *Mesh) batch() *batch { return m.batches.Get().(*batch) }

func (m *Mesh) release(b *batch) {
	if cap(b.buf) > keptBatch {
		return
	}
	*b = batch{buf: b.buf[:headerLen]}
	m.batches.Put(b)
}

// outbound is what a link knows of its way out: a queue of batches, of which
// the first ones were sent and are kept until the peer has confirmed them.
type outbound struct {
	first, last *batch
	due         *batch        // what is to be sent next; nil: all was
	held        int           // what all of them cost
	waiting     int           // what those cost that are due
	lostBehind  bool          // messages were lost behind the last of them
	number      uint64        // of the last batch that was made
	sent        uint64        // the highest number that was sent
	acked       uint64        // the highest number that was confirmed
	pulse       bool          // a packet is to go out even without messages
	ask         bool          // and to be confirmed at once
	again       bool          // and to ask the peer to send again
	waiters     []waiter      // for confirmations, in order
	overdue     uint64        // what should have been confirmed long ago
	packets     uint64        // sent
	lost        uint64        // messages that found no room
	dead        bool          // the peer has left
	room        chan struct{} // closed when there is; nil if nobody waits
}

// open is the batch to which messages can be added, or nil.
func (o *outbound) open() *batch {
	if o.last == nil || o.last.sent || o.lostBehind {
		return nil
	}
	return o.last
}

// push adds a batch at the end.
func (o *outbound) push(b *batch) {
	o.number++
	b.number, b.lost, o.lostBehind = o.number, o.lostBehind, false
	if o.last == nil {
		o.first = b
	} else {
		o.last.next = b
	}
	o.last = b
	if o.due == nil {
		o.due = b
	}
	o.grow(b.cost())
}

// grow notes that what is due has become larger.
func (o *outbound) grow(cost int) {
	o.held += cost
	o.waiting += cost
}

// underway is what was sent and is not confirmed.
func (o *outbound) underway() int { return o.held - o.waiting }

// base is the lowest number that can still be sent.
func (o *outbound) base() uint64 {
	if o.first != nil {
		return o.first.number
	}
	return o.number + 1
}

// take returns the batch that is due, and has the next one be due.
func (o *outbound) take() *batch {
	b := o.due
	o.due = b.next
	o.waiting -= b.cost()
	o.sent = max(o.sent, b.number)
	b.sent, b.sending = true, true
	return b
}

// confirm lets go of what the peer has, up to a number.
func (o *outbound) confirm(number uint64, release func(*batch)) {
	o.acked = number
	for o.first != nil && o.first.number <= number {
		o.drop(release)
	}
}

// drop lets go of the first batch.
func (o *outbound) drop(release func(*batch)) {
	b := o.first
	if o.due == b {
		o.due = b.next
		o.waiting -= b.cost()
	}
	o.held -= b.cost()
	if o.first = b.next; o.first == nil {
		o.last = nil
	}
	b.next = nil
	if !b.sending {
		release(b)
	}
}

// rewind has everything be due again that the peer has not confirmed, and
// reports of how many batches that is so. What is being sent again is not begun
// once more.
func (o *outbound) rewind() (batches int) {
	if o.due != nil && o.due.sent {
		return 0
	}
	for b := o.first; b != o.due; b = b.next {
		batches++
	}
	o.due, o.waiting = o.first, o.held
	return batches
}
