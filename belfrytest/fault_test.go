package belfrytest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/belfrytest"
	"github.com/belfryhq/belfry/client"
)

func TestCloseConnections(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	c := s.Client(t, "ann")
	news := subscribe(t, c, "news")
	events := belfrytest.Collect(t, news, "e")
	lost, confirmed := belfrytest.CollectSystem[client.Disconnected](t, c), belfrytest.CollectSystem[client.Subscribed](t, news)
	belfrytest.Connect(t, c)
	confirmed.Next(t)
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
	if n := s.CloseConnections(4200, "restart"); n != 1 {
		t.Errorf("%d connections were closed", n)
	}
	if d := lost.Next(t); d.Code != 4200 || d.Reason != "restart" || d.Class != client.ClassImmediate {
		t.Errorf("Disconnected = %+v", d)
	}
	confirmed.Next(t)
	trigger(t, s.Backend(t), "news", "e", "after")
	if e := events.Next(t); e.Data != "after" {
		t.Errorf("got %+v", e)
	}
	s.CloseConnections(4001, "gone")
	if d := lost.Next(t); d.Code != 4001 || d.WillRetry {
		t.Errorf("Disconnected = %+v", d)
	}
}

func TestDropConnections(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	c := s.Client(t, "ann")
	lost, states := belfrytest.CollectSystem[client.Disconnected](t, c), belfrytest.CollectSystem[client.StateChange](t, c)
	belfrytest.Connect(t, c)
	states.Next(t)
	states.Next(t)
	if n := s.DropConnections(); n != 1 {
		t.Errorf("%d connections were dropped", n)
	}
	if d := lost.Next(t); d.Code != 0 || d.Class != client.ClassImmediate || !d.WillRetry {
		t.Errorf("Disconnected = %+v", d)
	}
	states.Next(t)
	if s := states.Next(t); s.Current != client.StateConnected {
		t.Errorf("%v→%v", s.Previous, s.Current)
	}
}

func TestFreeze(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	cfg := s.ClientConfig("ann")
	cfg.ActivityTimeout, cfg.PongTimeout, cfg.HandshakeTimeout = time.Second, time.Second, time.Second
	c, err := client.New(belfrytest.Key, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Shutdown(context.Background())
	lost := belfrytest.CollectSystem[client.Disconnected](t, c)
	belfrytest.Connect(t, c)
	s.Freeze()
	s.Freeze()
	if d := lost.Next(t); !errors.Is(d.Err, client.ErrPongTimeout) {
		t.Errorf("Disconnected = %+v", d)
	}
	if d := lost.Next(t); !errors.Is(d.Err, client.ErrHandshakeTimeout) || d.WasConnected {
		t.Errorf("Disconnected = %+v", d)
	}
	s.Thaw()
	belfrytest.Connect(t, c)
}

func TestRefuse(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	c := s.Client(t, "ann")
	lost := belfrytest.CollectSystem[client.Disconnected](t, c)
	s.RefuseUpgrade(503)
	c.Connect()
	e, ok := errors.AsType[*client.DialError](lost.Next(t).Err)
	if !ok || e.StatusCode != 503 {
		t.Errorf("refused with %+v", e)
	}
	s.Refuse(4100, "Over capacity")
	if d := lost.Next(t); d.Code != 4100 || d.Reason != "Over capacity" || d.WasConnected {
		t.Errorf("Disconnected = %+v", d)
	}
	s.Refuse(0, "")
	belfrytest.Connect(t, c)
}

func TestAuthFaults(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	s.SetAuth(belfrytest.AuthFault{Status: 404, Body: "who?"})
	c := s.Client(t, "ann")
	ch := subscribe(t, c, "private-x")
	failed := belfrytest.CollectSystem[client.SubscriptionFailed](t, ch)
	belfrytest.Connect(t, c)
	if e := failed.Next(t).Err; e.Status != 404 || e.WillRetry {
		t.Errorf("failed with %+v", e)
	}
	s.SetAuth(belfrytest.AuthFault{Status: 200, Body: "<html>"})
	ch.Resubscribe()
	if e, ok := errors.AsType[*client.AuthError](failed.Next(t).Err); !ok || e.Kind != client.AuthBadResponse {
		t.Errorf("failed with %+v", e)
	}
	s.SetAuth(belfrytest.AuthFault{Delay: time.Millisecond})
	ch.Resubscribe()
	belfrytest.AwaitSubscribed(t, ch)

	s.SetAuth(belfrytest.AuthFault{Delay: -1})
	other := subscribe(t, c, "private-y")
	if other.State() != client.SubAuthorizing {
		t.Errorf("%v", other.State())
	}
	s.DropConnections() // ends the request, and asks for another
}

func TestAPIFaults(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	s.SetAPI(belfrytest.APIFault{Status: 503, Body: "overloaded"})
	_, err := b.Trigger(t.Context(), "news", "e", "d")
	if e, ok := errors.AsType[*backend.APIError](err); !ok || e.Status != 503 || e.Message != "overloaded" || !e.Temporary() {
		t.Errorf("Trigger = %v", err)
	}
	s.SetAPI(belfrytest.APIFault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.Trigger(ctx, "news", "e", "d"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Trigger = %v", err)
	}
	s.SetAPI(belfrytest.APIFault{})
	trigger(t, b, "news", "e", "d")
}

func TestLimitsOfTheService(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{Connections: 1, NoClientEvents: true, ActivityTimeout: 5 * time.Second})
	first, second := s.Client(t, "ann"), s.Client(t, "bob")
	belfrytest.Connect(t, first)
	lost := belfrytest.CollectSystem[client.Disconnected](t, second)
	second.Connect()
	if d := lost.Next(t); d.Code != 4004 || d.WillRetry {
		t.Errorf("second connection: %+v", d)
	}
	room := subscribe(t, first, "private-room")
	failures := belfrytest.CollectSystem[client.Failure](t, first)
	belfrytest.AwaitSubscribed(t, room)
	if err := room.Trigger(t.Context(), "client-x", 1); err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*client.ServerError](failures.Next(t).Err); !ok {
		t.Errorf("a client event is refused with %v", e)
	}
}
