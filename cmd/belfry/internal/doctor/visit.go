package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/protocol"
)

// A visit is one connection of a client.
type visit struct {
	client     *client.Client
	connected  chan string // the socket id
	subscribed chan error
	received   chan string // the data of events
	ended      chan error  // why the connection is over; closed after the client has ended
	cancel     context.CancelFunc
}

// visit begins a connection over one transport. End it.
func (e *examination) visit(t client.Transport) (*visit, error) {
	port, _ := strconv.Atoi(e.cfg.Base.Port()) // url.Parse has seen to it that it is digits or nothing
	c, err := client.New(e.cfg.Key, client.Config{
		Endpoint: client.Endpoint{
			Host: e.cfg.Base.Hostname(), Port: port, Path: e.cfg.Base.Path, Insecure: e.cfg.Base.Scheme == "http",
		},
		Transports:       []client.Transport{t},
		TLSConfig:        e.tlsConfig(),
		Header:           e.header(),
		HandshakeTimeout: e.cfg.Timeout,
		Reconnect:        client.NoReconnect(),
		ClientName:       "belfry-doctor",
	})
	if err != nil {
		return nil, err
	}
	v := &visit{
		client: c, connected: make(chan string, 1), subscribed: make(chan error, 1),
		received: make(chan string, 16), ended: make(chan error, 1),
	}
	client.On(c, func(_ context.Context, s client.StateChange) {
		if s.Current == client.StateConnected {
			post(v.connected, s.SocketID)
		}
	})
	client.On(c, func(context.Context, client.Subscribed) { post(v.subscribed, nil) })
	client.On(c, func(_ context.Context, f client.SubscriptionFailed) { post(v.subscribed, error(f.Err)) })
	client.On(c, func(_ context.Context, f client.Failure) {
		if said, ok := errors.AsType[*client.ServerError](f.Err); ok && !protocol.CloseCode(said.Code).Fatal() {
			post(v.subscribed, error(said))
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel = cancel
	go func() {
		defer close(v.ended)
		err := c.Run(ctx)
		c.Close()
		<-c.Done()
		v.ended <- err
	}()
	return v, nil
}

// post puts v into a channel if there is room: one answer is enough.
func post[T any](to chan<- T, v T) {
	select {
	case to <- v:
	default:
	}
}

// end ends the connection and waits for its goroutines.
func (v *visit) end() {
	v.cancel()
	for range v.ended {
	}
}

// await waits for what comes from a channel, or for the end of the connection
// or of ctx.
func await[T any](ctx context.Context, v *visit, from <-chan T) (T, error) {
	var none T
	select {
	case got := <-from:
		return got, nil
	case err, open := <-v.ended:
		if !open || err == nil {
			err = errors.New("the connection is over")
		}
		return none, err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// join subscribes to a channel and waits until that has succeeded.
func (v *visit) join(ctx context.Context, channel string) error {
	ch, err := v.client.Subscribe(channel)
	if err != nil {
		return err
	}
	ch.Bind(eventName, func(_ context.Context, got client.Event) { post(v.received, string(got.Data)) })
	refused, err := await(ctx, v, v.subscribed)
	return errors.Join(refused, err)
}

// connect opens the WebSocket that further checks use.
func (e *examination) connect(ctx context.Context) Finding {
	v, err := e.visit(client.WebSocket)
	if err != nil {
		return failed(printable(err.Error()), "see the address and the key")
	}
	e.socket = v
	id, err := await(ctx, v, v.connected)
	if err != nil {
		return e.refused(err)
	}
	return ok("connected to the app with the key %s, as socket %s", printable(e.cfg.Key), printable(id))
}

// refused says why a client was not let in.
func (e *examination) refused(err error) Finding {
	code, reason := 0, ""
	if said, ok := errors.AsType[*client.ServerError](err); ok {
		code, reason = said.Code, said.Message
	}
	if closed, ok := errors.AsType[*client.CloseError](err); ok {
		code, reason = closed.Code, closed.Reason
	}
	if code == 0 {
		return failed("the connection broke before the first message: "+cause(err), "a proxy or firewall lets the upgrade through and not what follows; look at its log and time-outs")
	}
	return failed(fmt.Sprintf("refused with %d: %s", code, printable(reason)), e.adviceFor(protocol.CloseCode(code)))
}

// adviceFor says what to do about a code.
func (e *examination) adviceFor(code protocol.CloseCode) string {
	switch code {
	case protocol.CloseTLSOnly:
		if e.cfg.Base.Scheme == "https" {
			return "the proxy that ends TLS must say so: X-Forwarded-Proto: https, and its address belongs into trusted_proxies"
		}
		return "the app takes TLS only: give the address with https://"
	case protocol.CloseUnknownApp:
		return "no app there has this key: see the key, and whether this is the right service or cluster (belfry apps list shows what there is)"
	case protocol.CloseAppDisabled:
		return "enable the app: belfry apps enable"
	case protocol.CloseOverQuota:
		return "the app has all the connections that its limit allows; raise it, or look who holds them"
	case protocol.ClosePathNotFound:
		return "the service sees another path than /app/KEY; a prefix belongs into the address and into the setting path"
	case protocol.CloseUnauthorized:
		return "the app allows certain origins only; give one of them with --origin, or add the site to allowed_origins"
	case protocol.CloseOverCapacity:
		return "the node is full; see max_connections and the limit on open files"
	case protocol.CloseReconnect:
		return "the node is about to stop; try again"
	}
	return "docs/protocol.md lists the codes"
}

// cause is what made a connection fail, for people.
func cause(err error) string {
	if e, ok := errors.AsType[*client.DialError](err); ok {
		if e.StatusCode != 0 {
			return fmt.Sprintf("the answer was %d %s", e.StatusCode, http.StatusText(e.StatusCode))
		}
		err = e.Err
	}
	if errors.Is(err, client.ErrHandshakeTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return "nothing came in time"
	}
	return printable(plain(err).Error())
}

// subscribe joins a channel with a random name.
func (e *examination) subscribe(ctx context.Context) Finding {
	if err := e.socket.join(ctx, e.channel); err != nil {
		return failed("the subscription to "+e.channel+" failed: "+cause(err),
			"messages of the client do not arrive or are refused; the log of the service at level debug says which")
	}
	return ok("subscribed to %s", e.channel)
}

// receive waits for the event that was triggered.
func (e *examination) receive(ctx context.Context) Finding {
	if _, err := await(ctx, e.socket, e.socket.received); err != nil {
		return failed("the event was accepted and did not arrive: "+cause(err),
			"backend and client may talk to different services or to nodes that are no cluster: compare their addresses; see belfry cluster status")
	}
	return ok("the event arrived")
}

// idle lets the connection be silent, as most are most of the time.
func (e *examination) idle(ctx context.Context) Finding {
	timer := time.NewTimer(e.cfg.Idle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case err := <-e.socket.ended:
		return failed(fmt.Sprintf("the connection was cut during %s of silence: %s", e.cfg.Idle, cause(err)),
			"a proxy cuts what is silent; let it wait for longer than 120 s, as with proxy_read_timeout 180s in nginx")
	}
	return ok("the connection outlasted %s of silence", e.cfg.Idle)
}
