package main

import (
	"regexp"
	"strings"
	"testing"
)

var triggeredID = regexp.MustCompile(`event (\S+-\d+)\n`)

func TestTailAndExplainTellOfAnEvent(t *testing.T) {
	dev, at := startDev(t, "--admin-listen", "127.0.0.1:0")
	admin := dev.err.await(t, "listener=admin")
	s := withURL(devURL(at))
	s.env = append(s.env, "BELFRY_ADMIN_URL=http://"+address(admin))
	tail := start(t, s, "tail", "--type", "api_message,subscribed", "--channel", "news*", "--count", "2", "--rate", "full")
	tail.err.await(t, "watching app 1")
	subscribe := start(t, s, "subscribe", "--count", "1", "news")
	subscribe.err.await(t, "subscribed to news")
	status, _, told := runCommand(t, s, "trigger", "news", "hello", `{"a":"\u001b[31m"}`)
	id := triggeredID.FindStringSubmatch(told)
	if status != 0 || id == nil {
		t.Fatalf("trigger = %d %s", status, told)
	}
	if status := tail.end(); status != 0 {
		t.Errorf("tail = %d %s", status, tail.err)
	}
	lines := tail.out.String()
	if !strings.Contains(lines, "subscribed          news") || !strings.Contains(lines, "api_message         news  hello  1 here, 0 elsewhere  id "+id[1]) {
		t.Errorf("tail printed\n%s", lines)
	}
	if status, out, err := runCommand(t, s, "explain", "--event", id[1]); status != 0 || !strings.Contains(out, "HANDED OVER: The event was handed to 1 sockets.") {
		t.Errorf("explain = %d %s %s", status, out, err)
	}
	if status, _, err := runCommand(t, s, "explain"); status != statusUsage || !strings.Contains(err, "which event?") {
		t.Errorf("explain without an event = %d %s", status, err)
	}
	if status, _, err := runCommand(t, s, "tail", "--type", "api_mesage"); status != statusFailure || !strings.Contains(err, "did you mean api_message?") {
		t.Errorf("tail of a type that there is not = %d %s", status, err)
	}
}
