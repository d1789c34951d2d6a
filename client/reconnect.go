package client

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A ReconnectPolicy says what follows when a connection is lost or can not
// be made. The zero value retries for ever. It retries at once after the
// first loss of a good connection, or when the service asks for it.
// Otherwise it waits 5 s, 10 s and so on, up to a minute. A close code in
// the range 4000 to 4099 is final.
type ReconnectPolicy struct {
	Off         bool          // never reconnect by itself
	FailFast    bool          // a failure before the first connection is final
	Delay       time.Duration // fixed delay, and step of the back-off; default 5 s, at least 1 s
	MaxDelay    time.Duration // of the back-off; default 60 s
	MaxAttempts int           // retries before giving up; default 0: no limit
	StableAfter time.Duration // a connection that lasted so long starts the count of retries anew; default 10 s
	Jitter      float64       // share of a delay that is cut at random; default 0.2; negative: none
	Constant    bool          // the same Delay for every retry instead of Delay × n
	// Decide, if set, has the last word on every failure: it gets what is
	// proposed and returns what to do. For a failure that is final otherwise,
	// d.WillRetry is false and proposed is the delay that a retry should have.
	// It is called on a goroutine of the package; until it returns, there is
	// no other attempt.
	Decide func(d Disconnected, proposed time.Duration) (delay time.Duration, retry bool)
}

// LibPusherPolicy is what libPusher does: a failure of the first attempt is
// final, then three attempts with delays of 5, 10 and 15 s.
func LibPusherPolicy() ReconnectPolicy {
	return ReconnectPolicy{FailFast: true, Delay: 5 * time.Second, MaxAttempts: 3, Jitter: -1}
}

// PusherJSPolicy is what pusher-js does: a retry every second, for ever.
func PusherJSPolicy() ReconnectPolicy {
	return ReconnectPolicy{Constant: true, Delay: time.Second, Jitter: -1}
}

// NoReconnect never reconnects by itself.
func NoReconnect() ReconnectPolicy { return ReconnectPolicy{Off: true} }

// minDelay is the shortest delay that is not zero.
const minDelay = time.Second

func (p ReconnectPolicy) withDefaults() ReconnectPolicy {
	p.Delay = max(cmp.Or(p.Delay, 5*time.Second), minDelay)
	p.MaxDelay = max(cmp.Or(p.MaxDelay, time.Minute), minDelay)
	p.StableAfter = cmp.Or(p.StableAfter, 10*time.Second)
	p.Jitter = min(max(cmp.Or(p.Jitter, 0.2), 0), 1)
	return p
}

// delay is how long to wait before the nth retry since the last stable
// connection.
func (p ReconnectPolicy) delay(class CloseClass, n int, atLeast time.Duration) time.Duration {
	d := p.Delay
	switch {
	case class == ClassImmediate && n == 1 && atLeast == 0:
		return 0
	case class != ClassUnknown && !p.Constant:
		// Beyond that many steps every product is above MaxDelay.
		d = min(p.Delay*time.Duration(min(n, int(p.MaxDelay/p.Delay)+1)), p.MaxDelay)
	}
	d -= time.Duration(float64(d) * p.Jitter * rand.Float64())
	return max(d, minDelay, atLeast)
}

// propose says when to try again after d, if at all. The client may have been
// connected before.
func (p ReconnectPolicy) propose(d Disconnected, atLeast time.Duration, connected bool) Disconnected {
	switch {
	case d.Class == ClassFatal, p.Off, p.FailFast && !connected:
		d.WillRetry = false
	case p.MaxAttempts > 0 && d.Attempt > p.MaxAttempts:
		d.WillRetry = false
		d.Err = errors.Join(ErrMaxAttempts, d.Err)
	default:
		d.Delay = p.delay(d.Class, d.Attempt, atLeast)
	}
	return d
}

// A Disconnected comes once for each connection that was lost or refused or
// could not be made.
type Disconnected struct {
	Err          error // nil if the caller wanted it
	Code         int   // WebSocket close code; 0 if there was none
	Reason       string
	Class        CloseClass    // what the end asks for
	WasConnected bool          // false: the connection was never established
	SocketID     string        // of the connection that ended
	WillRetry    bool          // false: the client has failed, or the caller disconnected
	Delay        time.Duration // until the retry
	Attempt      int           // of the retry, counted from 1 since the last stable connection
}

// A CloseClass is what the end of a connection asks of a client.
type CloseClass uint8

// The classes.
const (
	ClassUnknown   CloseClass = iota // retried after a fixed delay
	ClassFatal                       // close codes 4000 to 4099: not retried
	ClassBackoff                     // close codes 4100 to 4199, and connections that could not be made
	ClassImmediate                   // close codes 4200 to 4299, broken connections, and missing pongs
	ClassCaller                      // the caller disconnected
)

// String returns the class in a word.
func (c CloseClass) String() string {
	return name(c, "unknown", "fatal", "backoff", "immediate", "caller")
}

// ClassifyClose returns the class of a WebSocket close code. 1006 stands for a
// connection that broke without a Close frame.
func ClassifyClose(code int) CloseClass {
	if code == 1006 {
		return ClassImmediate
	}
	switch protocol.CloseCode(code).Action() {
	case protocol.DoNotReconnect:
		return ClassFatal
	case protocol.BackOff:
		return ClassBackoff
	case protocol.ReconnectNow:
		return ClassImmediate
	}
	return ClassUnknown
}
