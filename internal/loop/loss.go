package loop

import (
	"errors"
	"io"
	"os"
)

// A Loss is how a connection ended that its handler has not closed.
type Loss int

// The losses.
const (
	Broken    Loss = iota // the network or the peer broke it
	PeerEnded             // the peer ended it
	TimedOut              // something did not come, or was not taken, in time
	Stopped               // the node stopped
)

// LossOf says of an error of [Handler.Closed] which one it is.
func LossOf(err error) Loss {
	switch {
	case errors.Is(err, io.EOF):
		return PeerEnded
	case errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	case errors.Is(err, ErrStopped):
		return Stopped
	}
	return Broken
}
