package accept

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime"
	"time"
)

const (
	// handshakeWait is how long a handshake waits for its turn at most.
	handshakeWait = 10 * time.Second
	// mostWaiting is how many wait for each turn before none is accepted any
	// more.
	mostWaiting = 32
)

var errBusy = errors.New("accept: too many TLS handshakes at once")

// Handshakes makes TLS handshakes over the connections of p take turns, as many
// at once as there are processors, and counts them. A turn is from the client's
// greeting to the server's answer. It is mere computing, the most there is, so
// without turns a storm of clients that connect would keep all processors from
// those who are there. Nobody waits for the network in his turn.
//
// It sets callbacks of config, and keeps those that are there.
func (p *Pending) Handshakes(config *tls.Config) {
	configFor, certificate := config.GetConfigForClient, config.GetCertificate
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if err := p.beginTurn(hello); err != nil || configFor == nil {
			return nil, err
		}
		return configFor(hello)
	}
	if certificate != nil {
		// Whoever had to be asked for another greeting has had its turn.
		config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if err := p.beginTurn(hello); err != nil {
				return nil, err
			}
			return certificate(hello)
		}
	}
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		how := full
		if state.DidResume {
			how = resumed
		}
		p.shaken[how].Inc()
		if verify == nil {
			return nil
		}
		return verify(state)
	}
}

// beginTurn waits for the turn of a connection, if it has none. The turn ends with
// the first write, or the end of the connection.
func (p *Pending) beginTurn(hello *tls.ClientHelloInfo) error {
	c, ok := hello.Conn.(*Conn)
	if !ok || c.turns.Load() != nil {
		return nil
	}
	select {
	case p.turns <- struct{}{}:
	default:
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		ctx, cancel := context.WithTimeoutCause(hello.Context(), handshakeWait, errBusy)
		defer cancel()
		select {
		case p.turns <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.turns.Store(&p.turns)
	// Whoever is woken runs at once, before those who have waited longer for a
	// processor. Turns would follow each other, and loops would wait for all.
	runtime.Gosched()
	return nil
}

// pace waits while many handshakes wait for their turn. A storm of clients waits
// in the backlog of the system, and not as goroutines that all want to run.
func (l *listener) pace() {
	if !l.encrypted {
		return
	}
	runtime.Gosched() // so that who was accepted before has got as far as to wait
	p := l.pending
	for int(p.waiting.Load()) >= mostWaiting*cap(p.turns) && !l.over.Load() {
		time.Sleep(retry)
	}
}

// Write writes, which ends the turn of a handshake.
func (c *Conn) Write(b []byte) (int, error) {
	c.endTurn()
	return c.Conn.Write(b)
}

func (c *Conn) endTurn() {
	if c.turns.Load() == nil {
		return
	}
	if turns := c.turns.Swap(nil); turns != nil {
		<-*turns
	}
}
