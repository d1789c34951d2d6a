// Package watch keeps a client of a service connected and prints what arrives.
//
// What to watch is up to its callers, and so are flags and texts of help. A
// [Watcher] is run once. Its fields are read by the goroutines of its client; those
// that change say whose they are.
package watch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/cmd/belfry/internal/errortext"
	"github.com/belfryhq/belfry/cmd/belfry/internal/reach"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/protocol"
)

// maxMessage is far above what any service sends.
const maxMessage = 16 << 20

const (
	minBackOff = time.Second
	maxBackOff = 30 * time.Second
)

// A Watcher keeps a client connected and prints what arrives.
type Watcher struct {
	Target       target.Target
	Subscription Subscription
	Out          io.Writer // events
	Status       io.Writer // everything else
	Version      string    // of the command; empty: none

	// Set by Run before the client connects.
	client *client.Client
	signer *client.LocalSigner
	ctx    context.Context         // of the whole run; kept for print, which the client calls without one
	end    context.CancelCauseFunc // with a *refusedError or errCounted
	odd    []string                // channels that the client does not subscribe to by itself

	// Owned by decide.
	connected bool // at least once
	attempts  int  // since the last connection that was established

	mu      sync.Mutex // of the writers, and
	printed int        // events
}

var errCounted = errors.New("all events that were asked for have arrived")

// A refusedError is a reason for not connecting again.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refusef(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}

// Run stays connected until ctx ends, enough has arrived, or the service
// refuses.
func (w *Watcher) Run(ctx context.Context) error {
	w.ctx, w.end = context.WithCancelCause(ctx)
	defer w.end(nil)
	w.signer = newSigner(w.Target, w.Subscription)
	c, err := client.New(w.Target.Pair.Key, w.config())
	if err != nil {
		return err
	}
	defer c.Close()
	w.client = c
	w.listen()
	if err := w.subscribe(); err != nil {
		return err
	}
	err = c.Run(w.ctx)
	if w.ctx.Err() == nil {
		return w.explainFailed(err)
	}
	if refused, ok := errors.AsType[*refusedError](context.Cause(w.ctx)); ok {
		return refused
	}
	return nil
}

// config is that of the client. The service has the last word on what can be
// subscribed to, and may take its time.
func (w *Watcher) config() client.Config {
	return client.Config{
		Endpoint:             w.Target.Endpoint(),
		Header:               http.Header{"User-Agent": {"belfry-cli"}},
		HandshakeTimeout:     reach.Timeout,
		Reconnect:            client.ReconnectPolicy{Decide: w.decide},
		ChannelAuthorizer:    w.signer,
		UserAuthenticator:    w.signer,
		SubscribeTimeout:     -1,
		MaxChannelNameLength: -1,
		MaxMessageSize:       maxMessage,
		Trace:                &client.Trace{FrameReceived: w.frame},
		ClientName:           "belfry-cli",
		ClientVersion:        cmp.Or(w.Version, "0"),
	}
}

// missed asks for events of the past, if that is wanted.
func (w *Watcher) missed(channel string) []client.SubscribeOption {
	s := w.Subscription
	if s.Last == 0 && s.Since == "" {
		return nil
	}
	return []client.SubscribeOption{client.WithRecovery(client.Recovery{
		Position: s.Since, Rewind: s.Last,
		Verdict: func(v client.Verdict) {
			switch {
			case !v.Asked || v.Recovered:
				w.say("%s: %d events of the past; now at %s", channel, v.Replayed, v.Position)
			default:
				w.say("%s: something may be missing (%s); now at %s", channel, v.Reason, v.Position)
			}
		},
	})}
}

// subscribe has the client sign in and subscribe on every connection.
func (w *Watcher) subscribe() error {
	for _, channel := range w.Subscription.Channels {
		var err error
		if _, ok := protocol.UserOf(channel); ok {
			err = w.client.User().SignIn()
		} else {
			_, err = w.client.Subscribe(channel, w.missed(channel)...)
		}
		if errors.Is(err, client.ErrInvalidChannelName) {
			w.odd, err = append(w.odd, channel), nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listen has the watcher told of what happens to the client.
func (w *Watcher) listen() {
	client.On(w.client, func(ctx context.Context, s client.StateChange) {
		if s.Current == client.StateConnected {
			w.say("connected to %s as %s", w.Target.Base.Host, s.SocketID)
			w.ask(ctx, s.SocketID)
		}
	})
	client.On(w.client, func(_ context.Context, d client.Disconnected) {
		if d.WillRetry {
			w.say("connection lost (%v); connecting again in %s", w.explain(d.Err), d.Delay.Round(100*time.Millisecond))
		}
	})
	client.On(w.client, func(_ context.Context, s client.Subscribed) {
		count := ""
		if protocol.KindOf(s.Channel.Name()).Presence() {
			count = fmt.Sprintf(" (members: %d)", s.Members.Len())
		}
		w.say("subscribed to %s%s", s.Channel.Name(), count)
	})
	client.On(w.client, func(_ context.Context, s client.SignedIn) { w.say("signed in as %s", s.UserID) })
	client.On(w.client, func(_ context.Context, f client.SubscriptionFailed) { w.unsubscribed(f.Err) })
	client.On(w.client, func(_ context.Context, f client.SignInFailed) {
		if !f.WillRetry {
			w.end(refusef("not signed in: %s", errortext.Plain(f.Err)))
		}
	})
	client.On(w.client, func(_ context.Context, f client.Failure) { w.failure(f.Err) })
}

// ask subscribes to the channels whose names the client takes to be wrong, so
// that the service says what it thinks of them.
func (w *Watcher) ask(ctx context.Context, socketID string) {
	for _, channel := range w.odd {
		data := map[string]string{"channel": channel}
		if protocol.KindOf(channel).Private() {
			auth, err := w.signer.AuthorizeChannel(ctx, client.AuthRequest{SocketID: socketID, Channel: channel})
			if err != nil {
				w.end(refusef("%v", err))
				return
			}
			data["auth"] = auth.Auth
			if auth.ChannelData != "" {
				data["channel_data"] = auth.ChannelData
			}
		}
		if err := w.client.Send(ctx, protocol.EventSubscribe, data, ""); err != nil {
			return // the connection is lost, and the next one brings us here again
		}
	}
}

// decide says whether and when to connect again: hardly any wait where the
// service asks to come back at once, else a longer one each time.
func (w *Watcher) decide(d client.Disconnected, _ time.Duration) (time.Duration, bool) {
	if d.WasConnected {
		w.connected, w.attempts = true, 0
	}
	_, refused := errors.AsType[*client.ServerError](d.Err)
	switch {
	case d.Class == client.ClassFatal, refused, d.Code == 0 && !w.connected:
		return 0, false
	case d.Class == client.ClassImmediate && d.Code != 0 && d.WasConnected:
		return 0, true
	}
	w.attempts++
	pause := backoff.Policy{First: minBackOff, Most: maxBackOff}.Wait(w.attempts)
	return pause + rand.N(pause/4), true
}

// frame prints a message. The client calls it before it looks at the message
// itself.
func (w *Watcher) frame(text []byte) {
	var f frame
	var line bytes.Buffer
	if json.Unmarshal(text, &f) != nil || json.Compact(&line, text) != nil {
		return // the client tells of it as a failure
	}
	if w.Subscription.All || f.isNews() {
		line.WriteByte('\n')
		w.print(line.Bytes())
	}
	if f.Event == protocol.EventSubscriptionSucceeded {
		if _, ok := w.client.Channel(f.Channel); !ok { // that of the user, or an odd one
			w.say("subscribed to %s", f.Channel)
		}
	}
}

// print writes the line of an event, unless there were enough.
func (w *Watcher) print(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return
	}
	if _, err := w.Out.Write(line); err != nil {
		w.end(refusef("standard output: %v", err))
		return
	}
	w.printed++
	if w.printed == w.Subscription.Count {
		w.end(errCounted)
	}
}

// say writes a line about the connection.
func (w *Watcher) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.Status, format+"\n", args...)
}

// failure handles what the client could not make sense of, or what the
// service objects to. A fatal objection is followed by a close, which says the
// same.
func (w *Watcher) failure(err error) {
	switch e := err.(type) {
	case *client.ServerError:
		switch {
		case protocol.CloseCode(e.Code).Fatal():
		case e.Code == 0: // what we send are subscriptions, so one was refused
			w.end(refusef("the service refused: %s", e.Message))
		default:
			w.say("the service says: %s", e.Message)
		}
	case *client.SubscriptionError:
		w.unsubscribed(e)
	case *client.DecryptError: // we have no key, and print what arrives
	default:
		w.say("%s", errortext.Plain(err))
	}
}

func (w *Watcher) unsubscribed(e *client.SubscriptionError) {
	switch {
	case e.WillRetry:
	case e.Kind == client.SubscriptionAuth:
		w.end(refusef("%s", errortext.Plain(e.Err)))
	default:
		w.end(refusef("the service refused the subscription to %s", e.Channel))
	}
}

// explainFailed says why there is no other attempt to connect.
func (w *Watcher) explainFailed(err error) error {
	if e, ok := errors.AsType[*client.CloseError](err); ok {
		return fmt.Errorf("the service refused the connection (%d): %s", e.Code, e.Reason)
	}
	return w.explain(err)
}

// explain says why a connection was lost or could not be made.
func (w *Watcher) explain(err error) error {
	if e, ok := errors.AsType[*client.CloseError](err); ok {
		return fmt.Errorf("closed with %d: %s", e.Code, e.Reason)
	}
	if e, ok := errors.AsType[*client.ServerError](err); ok {
		return fmt.Errorf("the service refused: %s", e.Message)
	}
	switch e, ok := errors.AsType[*client.DialError](err); {
	case errors.Is(err, client.ErrHandshakeTimeout):
		return reach.Explain(w.Target.Base, context.DeadlineExceeded)
	case errors.Is(err, client.ErrPongTimeout):
		return errors.New("the service does not answer any more")
	case ok && e.StatusCode == http.StatusMisdirectedRequest:
		return fmt.Errorf("%s is the administration port of the service; give the address of the port for clients, by default 6001, with --url", w.Target.Base.Host)
	case ok && e.StatusCode != 0:
		return fmt.Errorf("%s://%s answered %d instead of speaking WebSocket; is the address right?", w.Target.Base.Scheme, w.Target.Base.Host, e.StatusCode)
	case ok:
		return reach.Explain(w.Target.Base, e.Err)
	}
	return errors.New(errortext.Plain(err))
}
