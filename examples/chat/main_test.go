package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/belfrytest"
	"github.com/belfryhq/belfry/client"
)

// A guest is a chat that a test talks and listens to.
type guest struct {
	say   io.WriteCloser
	lines chan string
}

func join(t *testing.T, s *belfrytest.Server, name string) *guest {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	in, say := io.Pipe()
	screen, out := io.Pipe()
	g := &guest{say: say, lines: make(chan string, 100)}
	go func() {
		lines := bufio.NewScanner(screen)
		for lines.Scan() {
			g.lines <- lines.Text()
		}
	}()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(ended)
		defer out.Close()
		signer := &client.LocalSigner{Key: belfrytest.Key, Secret: belfrytest.Secret}
		chat(ctx, client.Endpoint{Host: host, Port: number, Insecure: true}, signer, name, "lobby", in, out)
	}()
	t.Cleanup(func() {
		cancel()
		say.Close()
		<-ended
	})
	return g
}

func (g *guest) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-g.lines:
		if got != want {
			t.Fatalf("the screen shows %q, want %q", got, want)
		}
	case <-time.After(belfrytest.Patience):
		t.Fatalf("the screen does not show %q", want)
	}
}

func TestTwoChat(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	ann := join(t, s, "ann")
	ann.expect(t, "* here: ann")
	bob := join(t, s, "bob")
	bob.expect(t, "* here: ann, bob")
	ann.expect(t, "* bob joins")
	io.WriteString(ann.say, "hello\n")
	bob.expect(t, "ann: hello")
	io.WriteString(bob.say, "<hi> ☕\n")
	ann.expect(t, "bob: <hi> ☕")
	bob.say.Close()
	ann.expect(t, "* bob leaves")
}
