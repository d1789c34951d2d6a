package client

import (
	"errors"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A failure is why an attempt or a connection ended.
type failure struct {
	err          error
	code         int
	reason       string
	class        CloseClass
	wasConnected bool
	socketID     string
	lasted       time.Duration // of a connection
	retryAfter   time.Duration // what the peer asked for
	final        bool          // ErrAbort
}

// classify makes a failure of an error.
func classify(err error, wasConnected bool) *failure {
	f := &failure{err: err, wasConnected: wasConnected, class: ClassBackoff}
	if wasConnected {
		f.class = ClassImmediate
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		f.code, f.reason, f.class = e.Code, e.Reason, e.Class()
	}
	if _, ok := errors.AsType[*messageError](err); ok {
		f.class = ClassBackoff
	}
	if e, ok := errors.AsType[*DialError](err); ok {
		f.retryAfter = e.RetryAfter
	}
	f.final = errors.Is(err, ErrAbort)
	return f
}

// restart is the failure that is none: connect anew because the caller wants
// it.
func restart() *failure { return &failure{class: ClassCaller} }

// goodbye is the code to close a connection with that has failed. It is 0 if
// nobody is there to say goodbye to.
func (f *failure) goodbye() int {
	if e, ok := errors.AsType[*messageError](f.err); ok {
		return e.code
	}
	if f.err == nil {
		return int(protocol.CloseNormal)
	}
	return f.code
}

// disconnected is what the program is told, if the next attempt follows at
// once.
func (f *failure) disconnected(attempt int) Disconnected {
	return Disconnected{
		Err: f.err, Code: f.code, Reason: f.reason, Class: f.class,
		WasConnected: f.wasConnected, SocketID: f.socketID,
		WillRetry: true, Attempt: attempt,
	}
}
