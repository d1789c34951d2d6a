package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/e2e/service"
)

// script is what a service says to whoever subscribes to a channel of that
// name, after the confirmation, up to an event "end".
var script = map[string][]string{
	"news": {
		`{"event":"e","channel":"news","data":"{\"a\":[1,2.50,null]}"}`,
		`{"event":"e","channel":"news","data":"not JSON"}`,
		`{"event":"e","channel":"news","data":"\"text in text\""}`,
		`{"event":"e","channel":"news","data":"123"}`,
		`{"event":"e","channel":"news","data":"é☕😀\u2028\ud83d\ude00 <b>&amp;</b> \"q\" \\ "}`,
		`{"event":"e","channel":"news","data":{"an":"object"}}`,
		`{"event":"e","channel":"news","data":[1,"list"]}`,
		`{"event":"e","channel":"news","data":"","unknown":{"member":1}}`,
		`{"event":"e","channel":"other","data":"for another channel"}`,
		`{"event":"e","data":"for no channel"}`,
		`{"event":"pusher:unknown","channel":"news","data":"{}"}`,
		`{"event":"pusher_internal:unknown","channel":"news","data":"{}"}`,
		`{"event":"pusher_internal:subscription_count","channel":"news","data":"{\"subscription_count\":3}"}`,
		`{"event":"pusher:cache_miss","channel":"news","data":"{}"}`,
		`{"event":"pusher:ping","data":"{}"}`,
		`{"event":"pusher:pong","data":"{}"}`,
		`{"event":"pusher:error","data":{"code":null,"message":"something"}}`,
		`garbage`,
	},
	"presence-room": {
		`{"event":"pusher_internal:member_added","channel":"presence-room","data":"{\"user_id\":\"bob\",\"user_info\":{\"n\":1}}"}`,
		`{"event":"pusher_internal:member_added","channel":"presence-room","data":"{\"user_id\":\"bob\",\"user_info\":{\"n\":2}}"}`,
		`{"event":"pusher_internal:member_removed","channel":"presence-room","data":"{\"user_id\":\"nobody\"}"}`,
		`{"event":"pusher_internal:member_removed","channel":"presence-room","data":"{\"user_id\":\"bob\"}"}`,
		`{"event":"client-x","channel":"presence-room","data":"{\"on\":true}","user_id":"eve"}`,
	},
}

// serveScript is a service that plays the script.
func serveScript(t *testing.T) (addr string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/channel") {
			fmt.Fprint(w, `{"auth":"key:sig","channel_data":"{\"user_id\":\"me\"}"}`)
			return
		}
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		say := func(text string) { wsutil.WriteServerText(conn, []byte(text)) }
		say(`{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}`)
		for {
			text, err := wsutil.ReadClientText(conn)
			if err != nil {
				return
			}
			var m struct {
				Event string
				Data  struct{ Channel string }
			}
			if json.Unmarshal(text, &m) != nil || m.Event != "pusher:subscribe" {
				continue
			}
			say(fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":%q,"data":"{\"presence\":{\"count\":1,\"ids\":[\"me\"],\"hash\":{\"me\":null}}}"}`, m.Data.Channel))
			for _, line := range script[m.Data.Channel] {
				say(line)
			}
			say(fmt.Sprintf(`{"event":"end","channel":%q,"data":"{}"}`, m.Data.Channel))
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// A deed is an event as a program sees it.
type deed struct {
	Event string
	Data  any
}

// deliberate are the differences that the Go client has on purpose: pusher-js
// hands members to functions as objects of its own, and the Go client what the
// service said; pusher-js tells channels of client events before it knows them.
var deliberate = map[string]func(d *deed){
	"pusher:subscription_succeeded": func(d *deed) { d.Data = nil },
	"pusher:member_added":           memberOnly,
	"pusher:member_removed":         memberOnly,
}

// memberOnly keeps who it was.
func memberOnly(d *deed) {
	data, _ := d.Data.(map[string]any)
	if id, ok := data["user_id"]; ok {
		d.Data = id
		return
	}
	d.Data = data["id"]
}

// TestGoClientSeesWhatPusherJSSees plays the same script to both.
func TestGoClientSeesWhatPusherJSSees(t *testing.T) {
	t.Parallel()
	requireModules(t)
	addr := serveScript(t)
	svc := &service.Service{Addr: addr}
	page := openBrowser(t, svc, "http://"+addr).Open("ann")
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	gopher, err := client.New(service.Key, client.Config{
		Endpoint:          client.Endpoint{Host: host, Port: number, Insecure: true},
		Proxy:             func(*http.Request) (*url.URL, error) { return nil, nil },
		ChannelAuthorizer: &client.HTTPAuth{Endpoint: "http://" + addr + "/channel"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer gopher.Shutdown(context.Background())
	if err := gopher.Connect(); err != nil {
		t.Fatal(err)
	}
	for _, channel := range slices.Sorted(maps.Keys(script)) {
		page.AskFor(channel)
		page.Await(channel, "end")
		got, want := goDeeds(t, gopher, channel), pageDeeds(page, channel)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the Go client sees\n%v\npusher-js sees\n%v", channel, got, want)
		}
		if len(got) < len(script[channel])/2 {
			t.Errorf("%s: only %d events", channel, len(got))
		}
	}
}

// pageDeeds are what a page has seen on a channel.
func pageDeeds(p *page, channel string) (list []deed) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	for _, s := range p.log {
		if s.On == "channel" && s.Channel == channel {
			list = append(list, asDeed(s.Event, s.Data))
		}
	}
	return list
}

// goDeeds subscribes and returns what is seen until the end.
func goDeeds(t *testing.T, c *client.Client, channel string) (list []deed) {
	t.Helper()
	ended := make(chan struct{})
	var mu sync.Mutex
	_, err := c.Subscribe(channel, client.Setup(func(ch *client.Channel) {
		ch.BindAll(func(_ context.Context, e client.Event) {
			var data any = e.Data
			var decoded any
			if json.Unmarshal([]byte(e.Data), &decoded) == nil {
				data = decoded
			}
			mu.Lock()
			list = append(list, asDeed(e.Name, data))
			mu.Unlock()
			if e.Name == "end" {
				close(ended)
			}
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(service.Patience):
		t.Fatalf("%s: the script does not end", channel)
	}
	mu.Lock()
	defer mu.Unlock()
	return list
}

func asDeed(event string, data any) deed {
	d := deed{event, data}
	if level := deliberate[event]; level != nil {
		level(&d)
	}
	return d
}
