package main

import (
	"encoding/json"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
)

func devURL(address string) string { return "http://app-key:app-secret@" + address + "/apps/1" }

func withURL(url string) setup { return setup{env: []string{"BELFRY_URL=" + url}} }

func TestEventGoesFromTriggerToSubscribe(t *testing.T) {
	_, address := startDev(t)
	for name, tt := range map[string]struct {
		subscribe, trigger []string
		stdin, want        string
	}{
		"public":    {[]string{"news"}, []string{"news", "hello", `{"text": "hi"}`}, "", `{"event":"hello","channel":"news","data":"{\"text\": \"hi\"}"}`},
		"no data":   {[]string{"news2"}, []string{"news2", "hello"}, "", `{"event":"hello","channel":"news2","data":"{}"}`},
		"stdin":     {[]string{"news3"}, []string{"news3", "hello", "-"}, "a\nb <>& é", `{"event":"hello","channel":"news3","data":"a\nb <>& é"}`},
		"private":   {[]string{"private-a"}, []string{"private-a", "hello", "x"}, "", `{"event":"hello","channel":"private-a","data":"x"}`},
		"encrypted": {[]string{"private-encrypted-a"}, []string{"private-encrypted-a", "hello", "x"}, "", `{"event":"hello","channel":"private-encrypted-a","data":"x"}`},
		"presence":  {[]string{"presence-a", "--user-id", "7", "--user-info", `{"name":"Ann"}`}, []string{"presence-a", "hello", "x"}, "", `{"event":"hello","channel":"presence-a","data":"x"}`},
		"user":      {[]string{"#server-to-user-7"}, []string{"#server-to-user-7", "hello", "x"}, "", `{"event":"hello","channel":"#server-to-user-7","data":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			subscribe := start(t, withURL(devURL(address)), append([]string{"subscribe", "--count", "1"}, tt.subscribe...)...)
			subscribe.err.await(t, "subscribed to "+tt.subscribe[0])
			s := withURL(devURL(address))
			s.stdin = tt.stdin
			if status, out, err := runCommand(t, s, append([]string{"trigger"}, tt.trigger...)...); status != 0 || out != "" || !strings.HasPrefix(err, "triggered hello on "+tt.trigger[0]+"\nsubscriptions: 1 on this node, 0 on others; event ") {
				t.Errorf("trigger = %d %q %q", status, out, err)
			}
			if status := subscribe.end(); status != 0 {
				t.Errorf("subscribe ended with %d:\n%s", status, subscribe.err)
			}
			if got := subscribe.out.String(); got != tt.want+"\n" {
				t.Errorf("subscribe printed %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSubscribePrintsEverythingWithAll(t *testing.T) {
	_, address := startDev(t)
	status, out, err := runCommand(t, withURL(devURL(address)), "subscribe", "--all", "--count", "2", "presence-x")
	if status != 0 {
		t.Fatalf("subscribe = %d %s", status, err)
	}
	var events []string
	for line := range strings.Lines(out) {
		var f struct{ Event string }
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		events = append(events, f.Event)
	}
	if got, want := strings.Join(events, " "), "pusher:connection_established pusher_internal:subscription_succeeded"; got != want {
		t.Errorf("events = %q, want %q", got, want)
	}
}

func TestTriggerLeavesOutASocketAndAsksForInfo(t *testing.T) {
	_, address := startDev(t)
	s := withURL(devURL(address))
	subscribe := start(t, s, "subscribe", "presence-x", "--count", "1")
	line := subscribe.err.await(t, "connected to")
	_, socketID, _ := strings.Cut(line, " as ")
	subscribe.err.await(t, "subscribed to presence-x (members: 1)")
	if status, out, err := runCommand(t, s, "trigger", "presence-x", "first", "--socket-id", socketID, "--info", "user_count"); status != 0 || out != `{"channels":{"presence-x":{"user_count":1}}}`+"\n" {
		t.Errorf("trigger = %d %q %q", status, out, err)
	}
	if status, _, err := runCommand(t, s, "trigger", "presence-x", "second"); status != 0 {
		t.Error(err)
	}
	if subscribe.end() != 0 || !strings.Contains(subscribe.out.String(), `"second"`) {
		t.Errorf("subscribe printed %s, want the second event only", subscribe.out)
	}
}

func TestTriggerSaysHowCountsAreSwitchedOn(t *testing.T) {
	r := serveIn(t, t.TempDir())
	app := r.create()
	s := withURL(r.url(app.ID, app.Keys[0].Key, app.Keys[0].Secret))
	if status, _, err := runCommand(t, s, "trigger", "c", "e", "--info", "subscription_count"); status != 1 || !strings.Contains(err, "set subscription_count: true") {
		t.Errorf("trigger = %d %s", status, err)
	}
}

func TestClientErrorsSayWhatToDo(t *testing.T) {
	_, address := startDev(t)
	closed := unusedAddress(t)
	for name, tt := range map[string]struct {
		url    string
		args   []string
		status int
		want   []string
	}{
		"nothing there":              {"http://k:hunter2@" + closed + "/apps/1", []string{"trigger", "c", "e"}, 1, []string{"nothing listens on http://" + closed}},
		"nothing there to subscribe": {"http://k:hunter2@" + closed + "/apps/1", []string{"subscribe", "c"}, 1, []string{"nothing listens on http://" + closed}},
		"wrong secret":               {"http://app-key:hunter2@" + address + "/apps/app-id", []string{"trigger", "c", "e"}, 1, []string{"401 Unauthorized: Invalid signature", "the secret is not the one of the key app-key"}},
		"wrong key":                  {"http://nokey:hunter2@" + address + "/apps/app-id", []string{"trigger", "c", "e"}, 1, []string{"Unknown auth_key", `there is no app "app-id" with the key "nokey"`}},
		"wrong path":                 {"http://app-key:hunter2@" + address + "/x/apps/app-id", []string{"trigger", "c", "e"}, 1, []string{"404 Not Found", "A path prefix belongs in front of /apps"}},
		"bad channel":                {devURL(address), []string{"trigger", "a b", "e"}, 1, []string{"400 Bad Request: Invalid channel name"}},
		"subscribe with wrong key":   {"http://nokey:hunter2@" + address + "/apps/1", []string{"subscribe", "c"}, 1, []string{"the service refused the connection (4001): App key nokey not in this cluster."}},
		"subscribe with wrong secret": {"http://app-key:hunter2@" + address + "/apps/1", []string{"subscribe", "private-c"}, 1,
			[]string{"the service refused: Invalid signature"}},
		"subscribe to a bad name": {devURL(address), []string{"subscribe", "a b"}, 1, []string{"the service refused: Invalid channel name: a b"}},
		"TLS where there is none": {"https://app-key:hunter2@" + address + "/apps/app-id", []string{"trigger", "c", "e"}, 1, []string{"does not speak TLS; write http://"}},
		"URL without scheme":      {"k:hunter2@localhost", []string{"trigger", "c", "e"}, 2, []string{"BELFRY_URL has no scheme"}},
		"URL that is none":        {"http://k:hunter2@%zz", []string{"trigger", "c", "e"}, 2, []string{"BELFRY_URL is not a URL"}},
		"odd scheme":              {"ftp://k:hunter2@h", []string{"trigger", "c", "e"}, 2, []string{"has the scheme ftp"}},
		"no secret":               {"http://k@h/apps/1", []string{"trigger", "c", "e"}, 2, []string{"the secret of the key k is needed"}},
		"no secret for private":   {"http://k@h/apps/1", []string{"subscribe", "private-c"}, 2, []string{"the secret of the key k is needed"}},
		"no key":                  {"http://h/apps/1", []string{"subscribe", "c"}, 2, []string{"which app? Give its key"}},
		"no app":                  {"http://k:hunter2@h", []string{"trigger", "c", "e"}, 2, []string{"which app? Give its id"}},
		"no arguments":            {"", []string{"trigger"}, 2, []string{"belfry trigger news hello", "belfry trigger --help"}},
		"no channel":              {"", []string{"subscribe"}, 2, []string{"belfry subscribe news"}},
		"info that is no JSON":    {devURL(address), []string{"subscribe", "presence-a", "--user-info", "{"}, 2, []string{"--user-info is not JSON"}},
		"two users":               {devURL(address), []string{"subscribe", "#server-to-user-1", "#server-to-user-2"}, 2, []string{"as one user only"}},
		"data that is no text":    {devURL(address), []string{"trigger", "c", "e", "\xff"}, 2, []string{"not text in UTF-8"}},
		"flag":                    {"", []string{"trigger", "a", "b", "--sercet=hunter2"}, 2, []string{"unknown flag --sercet; did you mean --secret?"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, err := runCommand(t, withURL(tt.url), tt.args...)
			if status != tt.status || out != "" {
				t.Errorf("status = %d, output %q, want %d and none\n%s", status, out, tt.status, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err, want) {
					t.Errorf("it says %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err, "hunter") {
				t.Errorf("it repeats the secret: %q", err)
			}
		})
	}
}

// unusedAddress is one on which nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestSubscribeConnectsAgain(t *testing.T) {
	address := unusedAddress(t)
	first := start(t, setup{}, "dev", "--listen", address, "--admin-listen", "off")
	first.err.await(t, "listener=plain")
	subscribe := start(t, withURL(devURL(address)), "subscribe", "news", "--count", "1")
	subscribe.err.await(t, "subscribed to news")
	if status := first.stop(); status != 0 {
		t.Errorf("dev stopped with %d:\n%s", status, first.err)
	}
	subscribe.err.await(t, "connection lost (closed with 4200: Please reconnect immediately)")
	second := start(t, setup{}, "dev", "--listen", address, "--admin-listen", "off")
	second.err.await(t, "listener=plain")
	subscribe.err.await(t, "subscribed to news")
	if status, _, err := runCommand(t, withURL(devURL(address)), "trigger", "news", "again"); status != 0 {
		t.Fatal(err)
	}
	if status := subscribe.end(); status != 0 || !strings.Contains(subscribe.out.String(), `"again"`) {
		t.Errorf("subscribe = %d %s", status, subscribe.out)
	}
}

func TestSubscribeEndsWhenItIsTold(t *testing.T) {
	_, address := startDev(t)
	subscribe := start(t, withURL(devURL(address)), "subscribe", "news")
	subscribe.err.await(t, "subscribed to news")
	if status := subscribe.stop(); status != 0 {
		t.Errorf("subscribe ended with %d:\n%s", status, subscribe.err)
	}
}

func TestTarget(t *testing.T) {
	for name, tt := range map[string]struct {
		flags  targetFlags
		belfry string
		pusher string
		want   string // base, app id, key, secret
		socket string
	}{
		"nothing":               {want: "http://127.0.0.1:6001 1 app-key app-secret", socket: "ws://127.0.0.1:6001/app/app-key"},
		"this machine":          {flags: targetFlags{url: "http://localhost:7001"}, want: "http://localhost:7001 1 app-key app-secret", socket: "ws://localhost:7001/app/app-key"},
		"elsewhere":             {flags: targetFlags{url: "https://example.com"}, want: "https://example.com   ", socket: "wss://example.com/app/"},
		"BELFRY_URL":            {belfry: "https://k:s@h:1/apps/9", pusher: "http://x", want: "https://h:1 9 k s", socket: "wss://h:1/app/k"},
		"PUSHER_URL":            {pusher: "http://k:s@h/apps/9/", want: "http://h 9 k s", socket: "ws://h/app/k"},
		"prefix":                {belfry: "http://k:s@h/real/time/apps/9", want: "http://h/real/time 9 k s", socket: "ws://h/real/time/app/k"},
		"WebSocket scheme":      {belfry: "wss://k:s@h", want: "https://h  k s", socket: "wss://h/app/k"},
		"flags over parts":      {flags: targetFlags{appID: "8", key: "l", secret: "t"}, belfry: "http://k:s@h/apps/9", want: "http://h 8 l t", socket: "ws://h/app/l"},
		"flags without URL":     {flags: targetFlags{appID: "8", key: "l", secret: "t"}, want: "http://127.0.0.1:6001 8 l t", socket: "ws://127.0.0.1:6001/app/l"},
		"escaped secret":        {belfry: "http://k:a%2Fb@h/apps/9", want: "http://h 9 k a/b", socket: "ws://h/app/k"},
		"flag over environment": {flags: targetFlags{url: "http://a:b@c/apps/d"}, belfry: "http://k:s@h/apps/9", want: "http://c d a b", socket: "ws://c/app/a"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.flags.resolve(func(name string) string {
				return map[string]string{"BELFRY_URL": tt.belfry, "PUSHER_URL": tt.pusher}[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join([]string{got.Base.String(), got.AppID, got.Pair.Key, got.Pair.Secret}, " "); text != tt.want {
				t.Errorf("target = %q, want %q", text, tt.want)
			}
			if socket := socketURL(got); socket != tt.socket {
				t.Errorf("WebSocket at %q, want %q", socket, tt.socket)
			}
		})
	}
}

// socketURL is where clients connect, written as a URL.
func socketURL(t target.Target) string {
	e := t.Endpoint()
	u := url.URL{Scheme: "wss", Host: e.Host, Path: e.Path + "/app/" + t.Pair.Key}
	if e.Insecure {
		u.Scheme = "ws"
	}
	if e.Port != 0 {
		u.Host = net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
	}
	return u.String()
}
