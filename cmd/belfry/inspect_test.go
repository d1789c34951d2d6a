package main

import (
	"strings"
	"testing"
)

// TestInsideOfAnAppFromTheCommandLine: channels, connections, users and errors. Who is there, as an operator on
// the same machine sees it.
func TestInsideOfAnAppFromTheCommandLine(t *testing.T) {
	dev := start(t, setup{}, "dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	plain := address(dev.err.await(t, "listener=plain"))
	admin := address(dev.err.await(t, "listener=admin"))
	client := start(t, setup{}, "subscribe", "news", "presence-room", "--user-id", "ann\x1b[31m", "--url", "http://"+plain)
	client.err.await(t, "connected")
	client.err.await(t, "subscribed")
	client.err.await(t, "subscribed")

	belfry := func(args ...string) (status int, out, err string) {
		t.Helper()
		return runCommand(t, setup{env: []string{"BELFRY_ADMIN_URL=http://" + admin}}, args...)
	}
	expect := func(want string, args ...string) string {
		t.Helper()
		status, out, err := belfry(args...)
		if status != 0 || !strings.Contains(out, want) || strings.Contains(out, "\x1b") {
			t.Errorf("%q = %d %q %s, want %q", args, status, out, err, want)
		}
		return out
	}
	expect("news", "channels")
	expect("public", "channels", "--prefix", "ne", "--order", "subscriptions")
	expect(`members: ann\x1b[31m`, "channels", "presence-room")
	expect("belfry-cli", "connections")
	expect("there is no such connection", "connections", "--unsubscribed")
	expect("in all", "connections", "--by", "library")
	status, out, err := belfry("channels", "--limit", "1")
	if status != 0 || strings.Contains(out, "presence-room") || !strings.Contains(err, "there are more") {
		t.Errorf("channels --limit 1 = %d %s%s", status, out, err)
	}
	line := expect(`"socket"`, "connections", "--json")
	_, rest, _ := strings.Cut(line, `"socket":"`)
	socket, _, _ := strings.Cut(rest, `"`)
	expect("presence-room since", "connections", socket)
	expect("nobody is signed in", "users")
	expect(`ann\x1b[31m: offline, connections: 0`, "users", "ann\x1b[31m")
	expect("member of presence-room", "users", "ann\x1b[31m")
	expect("nothing went wrong", "errors")
	expect("nothing went wrong", "errors", "--unknown")
	runCommand(t, setup{}, "trigger", "news", "e", "x", "--url", "http://wrong:key@"+plain+"/apps/1")
	expect("unknown key", "errors", "--unknown")
	expect("what to do: No app of this service has that key.", "errors", "--unknown")
	expect("", "users", "ann\x1b[31m", "--terminate")
	if status, _, err := belfry("users", "--terminate"); status != 2 || !strings.Contains(err, "which user?") {
		t.Errorf("users --terminate = %d %s", status, err)
	}
	if status, _, err := belfry("connections", "1.1"); status != 1 || !strings.Contains(err, "no such connection") {
		t.Errorf("connections 1.1 = %d %s", status, err)
	}
	if status, _, err := belfry("connections", "--close"); status != 2 || !strings.Contains(err, "which connection?") {
		t.Errorf("connections --close = %d %s", status, err)
	}
	expect("subscribed", "timeline", "--socket", socket)
	expect("nothing of it is remembered", "timeline", "--channel", "nobody")
	expect("", "connections", socket, "--close", "--reconnect")
	client.err.await(t, "connection lost")
}
