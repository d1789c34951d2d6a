package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// TestDevIsReachedByTheURLThatItPrints has the official library for Go, which
// takes an app id of digits alone.
func TestDevIsReachedByTheURLThatItPrints(t *testing.T) {
	dev, address := startDev(t)
	line := dev.out.await(t, "export BELFRY_URL=")
	_, text, _ := strings.Cut(line, "=")
	c, err := pusher.ClientFromURL(text)
	if err != nil {
		t.Fatalf("ClientFromURL(%s): %v", text, err)
	}
	if err := c.Trigger("my-channel", "my-event", "hi"); err != nil || c.Host != address {
		t.Errorf("Trigger at %s: %v", c.Host, err)
	}
	if out := dev.out.String(); !strings.Contains(out, binary+" subscribe my-channel\n") {
		t.Errorf("dev was not started from the path, and says to type\n%s", out)
	}
	if log := dev.err.String(); strings.Contains(log, "client files") {
		t.Errorf("a newcomer is told of files that nobody has asked for:\n%s", log)
	}
	tutorial := pusher.Client{AppID: "app-id", Key: "app-key", Secret: "app-secret", Host: address}
	if err := tutorial.Trigger("my-channel", "my-event", "hi"); err != nil {
		t.Errorf("Trigger for app-id: %v", err)
	}
	stranger := pusher.Client{AppID: "2", Key: "app-key", Secret: "app-secret", Host: address}
	if err := stranger.Trigger("my-channel", "my-event", "hi"); err == nil {
		t.Error("dev answers for any id")
	}
}

func TestEverythingIsOnInDev(t *testing.T) {
	dev, address := startDev(t)
	ann := (&running{process: dev, t: t, plain: address}).connect("app-key")
	if err := wsutil.WriteClientText(ann.conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"my-channel"}}`)); err != nil {
		t.Fatal(err)
	}
	ann.expect("pusher_internal:subscription_succeeded")
	ann.expect("pusher_internal:subscription_count")
}

// TestDevFormSaysWhatTheServiceSaid sends what no service takes.
func TestDevFormSaysWhatTheServiceSaid(t *testing.T) {
	_, address := startDev(t)
	for channel, want := range map[string]int{"my-channel": 204, "no channel": 400} {
		response, err := http.PostForm("http://"+address+"/dev/trigger", url.Values{"channel": {channel}, "event": {"e"}, "data": {"x"}})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != want || want == 400 && !strings.Contains(string(body), "Invalid channel name") {
			t.Errorf("POST /dev/trigger for %q = %d %s, want %d", channel, response.StatusCode, body, want)
		}
	}
}

// TestDevTakesTheVariablesThatItHasAFlagFor has those of a container that was
// made for belfry serve.
func TestDevTakesTheVariablesThatItHasAFlagFor(t *testing.T) {
	s := setup{env: []string{
		"BELFRY_LISTEN=127.0.0.1:0", "BELFRY_ADMIN_LISTEN=off", "BELFRY_UNLIMITED=true", "BELFRY_DEBUG=",
		"BELFRY_DATA_DIR=/hunter2", "BELFRY_VERSION=1.2.3", "BELFRY_URL=http://127.0.0.1:1", "BELFRY_PORT=tcp://10.0.0.1:6001",
	}}
	dev := start(t, s, "dev")
	warning := dev.err.await(t, "level=WARN")
	if !strings.HasSuffix(warning, `variables="[BELFRY_DATA_DIR BELFRY_VERSION]"`) {
		t.Errorf("the warning is %s", warning)
	}
	plain := address(dev.err.await(t, "listener=plain"))
	if plain == devListen {
		t.Errorf("BELFRY_LISTEN is not used")
	}
	if status, _, err := runCommand(t, withURL(devURL(plain)), "trigger", "c", "e", strings.Repeat("x", 20_000)); status != 0 {
		t.Errorf("BELFRY_UNLIMITED is not used: %s", err)
	}
	for text, env := range map[string]string{
		"BELFRY_LISTEN) is not an address": "BELFRY_LISTEN=0.0.0.0:6001",
		"BELFRY_DEBUG is neither":          "BELFRY_DEBUG=perhaps",
	} {
		if status, _, err := runCommand(t, setup{env: []string{env}}, "dev"); status != 2 || !strings.Contains(err, text) {
			t.Errorf("dev with %s = %d %s, want 2 and %q", env, status, err, text)
		}
	}
	flag := start(t, setup{env: []string{"BELFRY_LISTEN=0.0.0.0:6001"}}, "dev", "--listen", "127.0.0.1:0", "--admin-listen", "off")
	flag.err.await(t, "listener=plain") // a flag overrides the variable
}

// TestDevAsksForATokenThatIsItsOwn where other machines reach it.
func TestDevAsksForATokenThatIsItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		d    devService
		open bool
	}{
		"as it is":               {devService{listen: "127.0.0.1:6001", adminListen: "127.0.0.1:6002"}, true},
		"without administration": {devService{listen: "localhost:6001"}, true},
		"for clients elsewhere":  {devService{listen: "0.0.0.0:6001", adminListen: "127.0.0.1:6002"}, false},
		"for operators too":      {devService{listen: "[::1]:6001", adminListen: "10.0.0.7:6002"}, false},
		"behind a tunnel":        {devService{listen: "127.0.0.1:6001", adminListen: "127.0.0.1:6002", allowHosts: []string{"*.example"}}, false},
	} {
		token, open := tt.d.access()
		again, _ := tt.d.access()
		if open != tt.open || (token == adminclient.DevToken) != tt.open || (token == again) != tt.open {
			t.Errorf("%s: access = %q then %q, %t, want open %t", name, token, again, open, tt.open)
		}
	}
}

// TestDevServesAPhoneAndAContainer which reach it by a number and by a name.
// It says what that means, and a foreign name stays out.
func TestDevServesAPhoneAndAContainer(t *testing.T) {
	env := setup{env: []string{"BELFRY_LISTEN=0.0.0.0:0", "BELFRY_EXPOSE=true", "BELFRY_ALLOW_HOST=belfry, *.Test"}}
	dev := start(t, env, "dev", "--admin-listen", "127.0.0.1:0")
	_, address, _ := strings.Cut(dev.out.await(t, "trying out: http://"), "http://")
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("dev says to connect to %s", address)
	}
	console := strings.TrimSpace(dev.out.await(t, "Console: http://"))
	token := dev.out.await(t, "ask for this token: ")
	token = token[strings.LastIndex(token, " ")+1:]
	dev.err.await(t, "whoever reaches this service")
	dev.err.await(t, "listener=admin")
	status := func(url, host, bearer string) int {
		t.Helper()
		request, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		if bearer != "" {
			request.Header.Set("Authorization", "Bearer "+bearer)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for host, want := range map[string]int{
		"localhost": 200, "192.168.1.7:6001": 200, "[fd00::7]:6001": 200, "belfry:6001": 200, "shop.test": 200,
		"evil.example": 403, "belfry.evil.example": 403, "0x7f.1": 403,
	} {
		for _, path := range []string{"/", "/dev/page.js"} {
			if got := status("http://"+address+path, host, ""); got != want {
				t.Errorf("GET %s of %s = %d, want %d", path, host, got, want)
			}
		}
	}
	_, base, _ := strings.Cut(strings.TrimSuffix(console, "/console/"), " ")
	for bearer, want := range map[string]int{"": 401, adminclient.DevToken: 401, token: 200} {
		if got := status(base+"/api/v1/apps", "", bearer); got != want {
			t.Errorf("apps with the token %q = %d, want %d", bearer, got, want)
		}
	}
}

// TestDevStaysOnThisMachineUnlessItIsExposed names the way out.
func TestDevStaysOnThisMachineUnlessItIsExposed(t *testing.T) {
	for text, args := range map[string][]string{
		"--expose if you trust": {"--listen", "0.0.0.0:0", "--allow-host", "belfry"},
		"has a scheme":          {"--allow-host", "http://belfry"},
		"has a port":            {"--allow-host", "belfry:6001"},
	} {
		if status, _, err := runCommand(t, setup{}, append([]string{"dev"}, args...)...); status != 2 || !strings.Contains(err, text) {
			t.Errorf("dev %v = %d %s, want 2 and %q", args, status, err, text)
		}
	}
}
