package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
)

// With TLS and without, a client costs no goroutine: its loop polls the
// descriptor, unless that is not wanted.
func TestLoopsPollClients(t *testing.T) {
	for _, portable := range []bool{false, true} {
		n := start(t, withCertificate(t, Config{PortableSockets: portable, Apps: []*apps.App{testApp()}}, "127.0.0.1:0"))
		for _, url := range []string{"ws://" + n.Addr().String(), "wss://" + n.TLSAddr().String()} {
			c := dial(t, url+"/app/key?protocol=7", nil)
			c.expectEstablished()
			c.subscribe("news")
		}
		polled := make(chan bool, 2)
		n.loops.Each(func(s *loop.Socket) { polled <- s.Descriptor() >= 0 })
		for range 2 {
			if got := <-polled; got == portable {
				t.Errorf("a socket is polled: %t, where portable sockets are wanted: %t", got, portable)
			}
		}
	}
}

// So does a response that goes on and on, once it has begun.
func TestLoopsPollStreams(t *testing.T) {
	n := start(t, withCertificate(t, Config{Apps: []*apps.App{testApp()}}, "127.0.0.1:0"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var streams []*bufio.Reader
	for i, url := range []string{"http://" + n.Addr().String(), "https://" + n.TLSAddr().String()} {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/pusher/app/key/1/session"+string(rune('a'+i))+"/xhr_streaming?protocol=7", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json") // which gets no prelude
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if !response.Close || response.ProtoMajor != 1 || response.Header.Get("Date") == "" {
			t.Errorf("the head of the response is %s %v, closing: %t", response.Proto, response.Header, response.Close)
		}
		streams = append(streams, bufio.NewReader(response.Body))
	}
	for _, stream := range streams {
		for _, want := range []string{"o\n", "a["} {
			line, err := stream.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, want) {
				t.Fatalf("the stream says %q, %v; want %q", line, err, want)
			}
		}
	}
	polled := make(chan bool, 2*len(streams))
	n.loops.Each(func(s *loop.Socket) { polled <- s.Descriptor() >= 0 })
	found := 0
	for range cap(polled) { // of each stream there is the session and the connection
		if <-polled {
			found++
		}
	}
	if found != len(streams) {
		t.Errorf("%d connections are polled, want %d", found, len(streams))
	}
}
