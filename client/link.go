package client

import (
	"errors"
	"fmt"
	"time"
)

// A link is an open connection of some transport. One goroutine reads and one
// writes; the other methods may be called by any.
type link interface {
	// attach tells the link where to report to. Before, it answers for itself.
	attach(h hooks)
	// read returns the next message, valid until the next read. An error ends
	// the link: a *CloseError if the peer closed it, a *messageError if a
	// message can not be taken.
	read() (text []byte, binary bool, err error)
	// write sends in order. It returns once the network has taken everything.
	write(list []outgoing) error
	// drain reads what nobody wants any more, until the link ends.
	drain()
	// closeBy ends the link at that time if it has not ended before.
	closeBy(t time.Time)
	// abort ends the link at once, and whoever reads or writes. It does not
	// block.
	abort()
}

// hooks are what a link reports to.
type hooks struct {
	seen func()             // the peer has shown a sign of life
	pong func(reply []byte) // the peer wants an answer
	got  func(reply []byte) // the peer has answered a ping
}

// An outgoing is something to be written.
type outgoing struct {
	kind outgoingKind
	data []byte     // of events and pongs
	code int        // of closing
	pong bool       // answers a ping, in whatever form
	done chan error // gets the result, and holds a place in the send queue; nil if nobody waits
}

type outgoingKind uint8

const (
	sendEvent outgoingKind = iota
	sendPing               // whatever the transport has for it
	sendPong
	sendClose
)

// errBinary is a message that can not be an event.
var errBinary = errors.New("a binary message")

// A messageError is a message for which the connection has to be closed.
type messageError struct {
	code int
	err  string
}

func (e *messageError) Error() string { return fmt.Sprintf("client: %s", e.err) }
