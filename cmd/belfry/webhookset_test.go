package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEndpointsOfAnAppAreSetByCommand(t *testing.T) {
	headers := make(chan string, 9)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		headers <- r.URL.Path + " " + r.Header.Get("X-Token") + r.Header.Get("X-More")
	}))
	defer receiver.Close()
	dir := t.TempDir()
	write(t, dir, "webhooks: {allowed_networks: [127.0.0.1]}\n")
	r := serveIn(t, dir, "--config=belfry.yaml")
	app := r.create("--name=shop").ID
	webhooks := func(stdin string, args ...string) (int, string, string) {
		t.Helper()
		return runCommand(t, setup{dir: dir, stdin: stdin, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}, append([]string{"webhooks"}, args...)...)
	}
	must := func(stdin string, args ...string) string {
		t.Helper()
		status, out, err := webhooks(stdin, args...)
		if status != 0 || strings.Contains(out+err, "hush") {
			t.Fatalf("webhooks %v = %d %s%s", args, status, out, err)
		}
		return out + err
	}
	expect := func(want string) {
		t.Helper()
		if got := <-headers; got != want {
			t.Errorf("the endpoint got %q, want %q", got, want)
		}
	}

	must("X-Token: hush\n\nX-More: !\n", "add", app, receiver.URL+"/hook?token=hush", "--events=presence,cache_miss", "--channel-prefixes=presence-", "--headers-from=-")
	must("", "add", app, receiver.URL+"/other", "--id=other", "--events", "client_event", "--batch=false")
	list := squeezed(must("", "list", "--app", app))
	if !strings.Contains(list, "other") || strings.Count(list, "127.0.0.1") != 2 {
		t.Errorf("list:\n%s", list)
	}
	var first string // it has no id, and a URL that is not shown whole
	for line := range strings.SplitSeq(list, "\n") {
		if fields := strings.Fields(line); strings.Contains(line, "/hook") {
			first = fields[1]
		}
	}
	must("", "test", app, first)
	expect("/hook hush!")

	must("", "update", app, first, "--events=channel_existence")
	must("", "update", app, "other", "--url", receiver.URL+"/third", "--id=third")
	must("", "test", app, first)
	expect("/hook hush!")
	must("", "test", app, "third")
	expect("/third ")
	if shown := r.do("show", app, "--json"); !strings.Contains(shown, `"events":["channel_occupied","channel_vacated"],"channel_prefixes":["presence-"]`) ||
		!strings.Contains(shown, `"id":"third","events":["client_event"]`) || !strings.Contains(shown, `"batch":false`) {
		t.Errorf("after the changes the app is %s", shown)
	}
	status, _, err := webhooks("", "update", app, first, "--url=http://127.0.0.1:1/hook", "--events=presence")
	if status != 1 || !strings.Contains(err, "webhooks[0].headers[0]: the value of X-Token is hidden") {
		t.Errorf("a header that is not known somewhere else = %d %s", status, err)
	}
	must("", "remove", app, first)
	if list := must("", "list"); strings.Contains(list, "/hook") || !strings.Contains(list, "third") {
		t.Errorf("list after one was removed:\n%s", list)
	}
	must("", "remove", app, "third")
	if shown := r.do("show", app, "--json"); !strings.Contains(shown, `"webhooks":[]`) {
		t.Errorf("after all were removed the app is %s", shown)
	}
}

func TestMistakesInEndpointsSetByCommand(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "apps:\n"+appA)
	r := serveIn(t, dir, "--config=belfry.yaml")
	app := r.create().ID
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"add", 2, "give the id of an app and the URL of an endpoint"},
		{"add 1", 2, "give the id of an app and the URL of an endpoint"},
		{"add APP http://h", 2, "which events is it told of? Give --events"},
		{"add APP http://h --events=channel_ocupied", 2, "did you mean channel_occupied?"},
		{"add APP h --events=presence", 1, "webhooks[0].url: is not an address"},
		{"add APP http://h --events=presence --headers-from=nothing", 1, "nothing"},
		{"add APP http://h --events=presence --headers-from=empty", 1, "there are no headers in empty"},
		{"add a http://h --events=presence", 1, "stands in the configuration"},
		{"add nobody http://h --events=presence", 1, "There is no such app"},
		{"update APP main", 2, "what is to change?"},
		{"update APP main --events=presence", 1, `has no endpoint "main"; belfry webhooks list --app`},
		{"remove APP", 2, "give the id of an app and the id of an endpoint"},
		{"remove APP main", 1, `has no endpoint "main"`},
	} {
		status, _, err := r.webhooks(strings.Fields(strings.ReplaceAll(tt.args, "APP", app))...)
		if status != tt.status || !strings.Contains(err, tt.want) {
			t.Errorf("webhooks %s = %d %s, want %d and %q", tt.args, status, err, tt.status, tt.want)
		}
	}
}
