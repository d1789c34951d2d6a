package server

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/internal/apps"
)

func TestServesAndStops(t *testing.T) {
	app := &apps.App{ID: "1", Keys: []apps.Key{{Key: "k", Secret: "s"}}, ActivityTimeout: apps.DefaultActivityTimeout, Limits: apps.DefaultLimits()}
	s, err := New(Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Apps: []*apps.App{app}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, early, _, err := ws.Dial(ctx, "ws://"+s.Addr().String()+"/app/k?protocol=7")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var in io.ReadWriter = conn
	if early != nil { // read behind the answer to the upgrade
		in = struct {
			io.Reader
			io.Writer
		}{early, conn}
	}
	read := func() string {
		b, err := wsutil.ReadServerText(in)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	t.Log(read())
	wsutil.WriteClientText(conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"news"}}`))
	t.Log(read())
	wsutil.WriteClientText(conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"cache-x"}}`))
	t.Log(read())
	t.Log(read())
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/readyz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	cancel()
	t.Log(read())
	t.Log(read())
	if err := <-done; err != nil {
		t.Error(err)
	}
}
