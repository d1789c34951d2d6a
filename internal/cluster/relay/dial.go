package relay

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A dialer keeps the connection over which requests go to a peer.
type dialer struct {
	mu  sync.Mutex
	now *dialing
}

// A dialing is a connection, or one that is being made.
type dialing struct {
	uses   int           // requests that it got; guarded by dialer.mu
	ready  chan struct{} // closed when one of the following is set
	client *http.ClientConn
	err    error
}

// maxUses is how many requests go over one connection: HTTP/2 has numbers for
// about four times as many.
const maxUses = 1 << 28

func (r *Relay) newTransport() *http.Transport {
	return &http.Transport{
		Protocols:              onlyHTTP2(),
		HTTP2:                  limits(0),
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswerHead,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			id, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			p := r.peer(node.ID(id))
			if p == nil {
				return nil, errGone
			}
			return p.dial()
		},
	}
}

// client returns the connection for requests to the peer, and makes one if there
// is none.
func (p *peer) client(ctx context.Context) (*http.ClientConn, error) {
	d, fresh := p.dialer.current(p.relay.maxUses)
	if fresh && p.relay.begin() {
		go p.make(d)
	} else if fresh {
		d.err = errClosed
		close(d.ready)
	}
	select {
	case <-d.ready:
		return d.client, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// make makes a connection. It is for all who wait for it, and so it takes the
// time that the link takes, which ends it.
func (p *peer) make(d *dialing) {
	defer p.relay.wg.Done()
	d.client, d.err = p.relay.transport.NewClientConn(context.Background(), "http", string(p.link.ID())+":80")
	close(d.ready)
}

// current returns the connection that can be used, or a fresh one that the
// caller is to make.
func (d *dialer) current(maxUses int) (now *dialing, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil || d.now.over() || d.now.uses >= maxUses {
		d.now.retire()
		d.now, fresh = &dialing{ready: make(chan struct{})}, true
	}
	d.now.uses++
	return d.now, fresh
}

// retire has a connection that is not used any more be closed after its last
// request.
func (d *dialing) retire() {
	if d == nil || d.over() {
		return
	}
	go func() {
		<-d.ready
		if d.err == nil {
			d.client.SetStateHook(closeIdle)
			closeIdle(d.client)
		}
	}()
}

func closeIdle(c *http.ClientConn) {
	if c.InFlight() == 0 {
		_ = c.Close()
	}
}

// over reports whether there is no use any more.
func (d *dialing) over() bool {
	select {
	case <-d.ready:
		return d.err != nil || d.client.Err() != nil
	default:
		return false
	}
}

// roundTrip sends a request to a peer.
func (r *Relay) roundTrip(req *http.Request, to node.ID) (*http.Response, error) {
	p := r.peer(to)
	if p == nil {
		return nil, errGone
	}
	if r.isClosed() {
		return nil, errClosed
	}
	client, err := p.client(req.Context())
	if err != nil {
		return nil, err
	}
	return client.RoundTrip(req)
}
