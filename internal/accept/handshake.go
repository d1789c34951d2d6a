package accept

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// handshakeWait is how long a handshake waits for its turn at most.
const handshakeWait = 10 * time.Second

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
		ctx, cancel := context.WithTimeoutCause(hello.Context(), handshakeWait, errBusy)
		defer cancel()
		select {
		case p.turns <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.turns.Store(&p.turns)
	return nil
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
