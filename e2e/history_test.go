package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/e2e/service"
)

// historyApps has an app that keeps its events.
const historyApps = `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    history: {enabled: true, rewind: 10}
`

// A returner is a client that asks for what it has missed, with the plugin for
// pusher-js.
type returner struct {
	t       testing.TB
	node    *node
	backend backend
	seen    chan seen
}

func newReturner(t testing.TB, svc *service.Service) *returner {
	requireReleases(t)
	r := &returner{t: t, backend: startGoBackend(t, svc, theApp), seen: make(chan seen, 10_000)}
	r.node = startNode(t, "history.mjs", "", func(s seen) { r.seen <- s })
	return r
}

// connect opens the page, with a release of pusher-js and perhaps the plugin.
func (r *returner) connect(svc *service.Service, release, transport string, plugin any) {
	r.t.Helper()
	options := map[string]any{
		"wsHost": "127.0.0.1", "wsPort": port(svc.Addr), "httpHost": "127.0.0.1", "httpPort": port(svc.Addr),
		"forceTLS": false, "encrypted": false, "disableStats": true, "enableStats": false, "cluster": "x", "enabledTransports": []string{transport},
	}
	r.node.must("connect", map[string]any{"release": release, "key": service.Key, "options": options, "plugin": plugin}, nil)
	r.node.must("subscribe", map[string]any{"channel": "news"}, nil)
	r.await("pusher:subscription_succeeded")
}

// next returns the next event on the channel.
func (r *returner) next(waitsFor string) seen {
	r.t.Helper()
	late := time.After(service.Patience)
	for {
		select {
		case s := <-r.seen:
			if s.On == "channel" {
				return s
			}
		case <-late:
			r.t.Fatalf("waiting for %s", waitsFor)
		}
	}
}

// await returns the data of the next event of that name on the channel, and expects
// that those before it are the next numbers.
func (r *returner) await(event string, numbers ...int) (data map[string]any) {
	r.t.Helper()
	for {
		switch s := r.next(fmt.Sprintf("%s and %d events", event, len(numbers))); s.Event {
		case "number":
			if len(numbers) == 0 || fmt.Sprint(s.Data) != strconv.Itoa(numbers[0]) {
				r.t.Fatalf("event %v came, want one of %v", s.Data, numbers[:min(len(numbers), 3)])
			}
			numbers = numbers[1:]
		case event:
			if len(numbers) > 0 {
				r.t.Fatalf("%s came before %d events", event, len(numbers))
			}
			data, _ = s.Data.(map[string]any)
			return data
		}
	}
}

// numbers waits for those events, in that order.
func (r *returner) numbers(from, to int) {
	r.t.Helper()
	for want := from; want <= to; {
		if s := r.next(fmt.Sprint("event ", want)); s.Event == "number" {
			if fmt.Sprint(s.Data) != strconv.Itoa(want) {
				r.t.Fatalf("event %v came, want %d", s.Data, want)
			}
			want++
		}
	}
}

func (r *returner) publish(from, to int) {
	r.t.Helper()
	for i := from; i <= to; i++ {
		if _, err := r.backend.Trigger([]string{"news"}, "number", i, triggerParams{}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func count(from, to int) (list []int) {
	for i := from; i <= to; i++ {
		list = append(list, i)
	}
	return list
}

func verdictIs(t testing.TB, got map[string]any, recovered bool, replayed int, reason string) {
	t.Helper()
	want := map[string]any{"recovered": recovered, "replayed": float64(replayed), "position": got["position"]}
	if reason != "" {
		want["reason"] = reason
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("the verdict is %s, want %s", a, b)
	}
}

// TestPageGetsWhatItMissed with every major release of pusher-js and several
// transports: after a broken connection, a longer absence, and a page that is loaded
// anew; but not when the service was.
func TestPageGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	for release, transport := range map[string]string{"4": "ws", "5": "ws", "6": "xhr_streaming", "7": "xhr_polling", "8": "ws"} {
		t.Run("pusher-js "+release+" "+transport, func(t *testing.T) {
			svc := service.Start(t, service.Config{Apps: historyApps})
			r := newReturner(t, svc)
			r.connect(svc, release, transport, map[string]any{})
			r.await("belfry:resume")
			r.publish(1, 4)
			r.numbers(1, 4)
			r.node.must("disconnect", nil, nil)
			r.publish(5, 304)
			r.node.must("reconnect", nil, nil)
			verdictIs(t, r.await("belfry:resume", count(5, 304)...), true, 300, "")
			r.publish(305, 306)
			r.numbers(305, 306)
			if release < "6" {
				return // they do not come back to WebSocket for a minute
			}
			svc.Kill()
			svc.Restart()
			verdictIs(t, r.await("belfry:resume"), false, 0, "unknown")
			r.publish(307, 307)
			r.numbers(307, 307)
		})
	}
}

// TestDurableHistoryOutlivesTheService: what was accepted is there after the process was
// killed, more than once; a page goes on where it was.
func TestDurableHistoryOutlivesTheService(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: strings.Replace(historyApps, "rewind: 10", "rewind: 10, durable: true", 1)})
	r := newReturner(t, svc)
	r.connect(svc, "8", "ws", map[string]any{})
	r.await("belfry:resume")
	r.publish(1, 4)
	r.numbers(1, 4)
	for start := range 3 {
		from := 5 + 10*start
		r.node.must("disconnect", nil, nil)
		r.publish(from, from+4)
		svc.Kill()
		svc.Restart()
		r.publish(from+5, from+9)
		r.node.must("reconnect", nil, nil)
		verdictIs(t, r.await("belfry:resume", count(from, from+9)...), true, 10, "")
	}
	svc.Kill() // while the page is connected
	svc.Restart()
	verdictIs(t, r.await("belfry:resume"), true, 0, "")
	r.publish(35, 36)
	r.numbers(35, 36)
}

// TestPageThatIsLoadedAnewGoesOn where it was, and a new one may look back.
func TestPageThatIsLoadedAnewGoesOn(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: historyApps})
	r := newReturner(t, svc)
	r.publish(1, 20)
	r.connect(svc, "8", "ws", map[string]any{"rewind": 5})
	if v := r.await("belfry:resume", count(16, 20)...); v["replayed"] != 5.0 || v["recovered"] != nil {
		t.Errorf("the verdict is %v, want 5 replayed", v)
	}
	r.node.must("disconnect", nil, nil)
	r.publish(21, 23)
	r.connect(svc, "8", "ws", map[string]any{})
	verdictIs(t, r.await("belfry:resume", count(21, 23)...), true, 3, "")
	r.node.must("unsubscribe", map[string]any{"channel": "news"}, nil)
	r.publish(24, 25)
	r.node.must("subscribe", map[string]any{"channel": "news"}, nil)
	if v := r.await("belfry:resume"); v["recovered"] != nil {
		t.Errorf("the verdict after leaving on purpose is %v", v)
	}
}

// TestPluginDoesNothingWhereNothingIsKept: neither a verdict nor an error comes.
func TestPluginDoesNothingWhereNothingIsKept(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	r := newReturner(t, svc)
	r.connect(svc, "8", "ws", map[string]any{"rewind": 5})
	r.publish(1, 1)
	r.numbers(1, 1)
	r.node.must("disconnect", nil, nil)
	r.publish(2, 2)
	r.node.must("reconnect", nil, nil)
	r.await("pusher:subscription_succeeded")
	r.publish(3, 3)
	r.numbers(3, 3)
	var position string
	r.node.must("position", map[string]any{"channel": "news"}, &position)
	if position != "" {
		t.Errorf("the position is %q, want none", position)
	}
}

// TestPageWithoutThePluginNoticesNothing of a history.
func TestPageWithoutThePluginNoticesNothing(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: historyApps})
	r := newReturner(t, svc)
	r.connect(svc, "8", "ws", nil)
	r.publish(1, 2)
	r.numbers(1, 2)
	r.node.must("disconnect", nil, nil)
	r.publish(3, 3)
	r.node.must("reconnect", nil, nil)
	r.await("pusher:subscription_succeeded")
	r.publish(4, 4)
	r.numbers(4, 4)
}

// TestGoClientGetsWhatItMissed: after a broken connection, and in another program that
// was told the position.
func TestGoClientGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: historyApps})
	r := &returner{t: t, backend: startGoBackend(t, svc, theApp)}
	verdicts := make(chan client.Verdict, 10)
	with := func(position string) client.SubscribeOption {
		return client.WithRecovery(client.Recovery{Position: position, Verdict: func(v client.Verdict) { verdicts <- v }})
	}
	expect := func(want client.Verdict) {
		t.Helper()
		select {
		case got := <-verdicts:
			if want.Position = got.Position; got != want {
				t.Fatalf("the verdict is %+v, want %+v", got, want)
			}
		case <-time.After(service.Patience):
			t.Fatal("no verdict")
		}
	}
	first := openGoClient(t, svc, r.backend.AuthURL(), "ann", client.WebSocket)
	ch, err := first.Client.Subscribe("private-news", with(""))
	if err != nil {
		t.Fatal(err)
	}
	expect(client.Verdict{})
	news := func(c *goClient, from, to int) {
		t.Helper()
		for want := from; want <= to; {
			select {
			case e := <-c.events:
				if e.Name == "number" {
					if e.Data != strconv.Itoa(want) || e.Position == "" {
						t.Fatalf("event %s at %q came, want %d", e.Data, e.Position, want)
					}
					want++
				}
			case <-time.After(service.Patience):
				t.Fatalf("waiting for event %d", want)
			}
		}
	}
	publish := func(from, to int) {
		for i := from; i <= to; i++ {
			if _, err := r.backend.Trigger([]string{"private-news"}, "number", i, triggerParams{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(1, 2)
	news(first, 1, 2)
	first.Disconnect()
	publish(3, 5)
	if err := first.Connect(); err != nil {
		t.Fatal(err)
	}
	expect(client.Verdict{Asked: true, Recovered: true, Replayed: 3})
	news(first, 3, 5)
	position := ch.Position()
	first.Close()
	publish(6, 9)
	second := openGoClient(t, svc, r.backend.AuthURL(), "ann", client.WebSocket)
	if _, err := second.Client.Subscribe("private-news", with(position)); err != nil {
		t.Fatal(err)
	}
	expect(client.Verdict{Asked: true, Recovered: true, Replayed: 4})
	news(second, 6, 9)
	if _, err := second.Client.Subscribe("private-other", with("ABCDEFGHIJKLMNOP-000000000001")); err != nil {
		t.Fatal(err)
	}
	expect(client.Verdict{Asked: true, Reason: "unknown"})
}
