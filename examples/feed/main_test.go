package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/belfrytest"
	"github.com/belfryhq/belfry/client"
)

func TestPricesArrive(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	auth := httptest.NewServer(authorize(b))
	defer auth.Close()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	screen, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		follow(ctx, belfrytest.Key, client.Endpoint{Host: host, Port: number, Insecure: true}, auth.URL+"/pusher/auth", out)
		out.Close()
	}()
	ticks := make(chan time.Time)
	go publish(ctx, b, ticks)
	go func() { // until the follower has what it came for
		for {
			channel, err := b.Channel(ctx, channel, backend.SubscriptionCount)
			if err != nil {
				return
			}
			if channel.Occupied {
				select {
				case ticks <- time.Time{}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	line, err := bufio.NewReader(screen).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "BELL ") {
		t.Errorf("the follower sees %q, %v", line, err)
	}
	cancel()
	go io.Copy(io.Discard, screen)
	<-done
}
