package trace

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

func TestDebugLogSaysWhoGotWhat(t *testing.T) {
	var out bytes.Buffer
	var logs Logs
	d := NewDebug(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), &logs)
	id, _ := protocol.ParseSocketID("1.2")
	log := logs.App("1")
	log.Trace(Record{Kind: Connected, Socket: id, Client: &Client{Key: "k", Transport: "websocket", Origin: "https://a.test"}})
	log.Trace(Record{Kind: Subscribed, Socket: id, Channel: "news"})
	log.Trace(Record{Kind: ClientError, Socket: id, Channel: "private-x", Event: "pusher:subscribe", Text: "Invalid signature"})
	log.Trace(Record{Kind: APIMessage, Channel: "news", Event: "hello", Here: 3, Elsewhere: 1})
	logs.App("").Trace(Record{Kind: ConnectionRefused, Code: 4001, Text: "App key x not in this cluster."})
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`msg="client connected" app=1 socket_id=1.2 key=k transport=websocket origin=https://a.test`,
		`msg=subscribed app=1 channel=news socket_id=1.2`,
		`msg="message of a client refused" app=1 channel=private-x event=pusher:subscribe socket_id=1.2 reason="Invalid signature"`,
		`msg="event of a backend" app=1 channel=news event=hello here=3 elsewhere=1`,
		`msg="client refused" code=4001 reason="App key x not in this cluster."`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no line %s:\n%s", want, &out)
		}
	}
}

// TestLogThatIsSlowIsNotWaitedFor: what finds no room is counted.
func TestLogThatIsSlowIsNotWaitedFor(t *testing.T) {
	var out bytes.Buffer
	d := &Debug{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), queue: make(chan Record, 1), quit: make(chan struct{}), ended: make(chan struct{})}
	for range 3 {
		d.Trace(Record{Kind: Subscribed}) // nobody takes them yet
	}
	go d.run()
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "left_out=2") {
		t.Errorf("the log does not say that two are left out:\n%s", &out)
	}
}
