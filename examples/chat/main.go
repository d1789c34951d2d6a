// Command chat is a chat in a terminal, over a presence channel: who is there,
// who comes and goes, and what they say.
//
//	belfry dev &
//	go run ./examples/chat -name ann
//	go run ./examples/chat -name bob     # in another terminal
//
// A program that is given to users asks its backend for authorization, with
// client.HTTPAuth; this one has the secret of belfry dev, and signs for itself.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/belfryhq/belfry/client"
)

func main() {
	name := flag.String("name", os.Getenv("USER"), "who you are")
	room := flag.String("room", "lobby", "where to chat")
	host := flag.String("host", "127.0.0.1", "the service")
	port := flag.Int("port", 6001, "the service's port")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	endpoint := client.Endpoint{Host: *host, Port: *port, Insecure: true}
	signer := &client.LocalSigner{Key: "app-key", Secret: "app-secret"}
	if err := chat(ctx, endpoint, signer, *name, *room, os.Stdin, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// A line is what somebody says.
type line struct {
	Text string `json:"text"`
}

// chat joins a room and says what it reads, until the input or ctx ends.
func chat(ctx context.Context, endpoint client.Endpoint, signer *client.LocalSigner, name, room string, in io.Reader, out io.Writer) error {
	signer.MemberFunc = func(string) (string, any) { return name, nil }
	c, err := client.New(signer.Key, client.Config{Endpoint: endpoint, ChannelAuthorizer: signer})
	if err != nil {
		return err
	}
	screen := &screen{out: out}
	ch, err := c.SubscribePresence(room, client.Setup(func(ch *client.Channel) { listen(ch, screen) }))
	if err != nil {
		return err
	}
	client.On(c, func(_ context.Context, s client.StateChange) {
		if s.Err != nil {
			screen.say("* %s: %v", s.Current, s.Err)
		}
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		speak(ctx, ch, in, screen)
	}()
	return c.Run(ctx)
}

// listen shows what happens in the room.
func listen(ch *client.Channel, screen *screen) {
	client.On(ch, func(_ context.Context, s client.Subscribed) {
		var names []string
		for m := range s.Members.All() {
			names = append(names, m.ID)
		}
		screen.say("* here: %s", strings.Join(names, ", "))
	})
	client.On(ch, func(_ context.Context, m client.MemberAdded) { screen.say("* %s joins", m.Member.ID) })
	client.On(ch, func(_ context.Context, m client.MemberRemoved) { screen.say("* %s leaves", m.Member.ID) })
	client.On(ch, func(_ context.Context, f client.SubscriptionFailed) { screen.say("* %v", f.Err) })
	client.BindJSON(ch, "client-line", func(_ context.Context, l line, e client.Event) {
		screen.say("%s: %s", e.UserID, l.Text)
	})
}

// speak says every line of in.
func speak(ctx context.Context, ch *client.Channel, in io.Reader, screen *screen) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		err := ch.Trigger(ctx, "client-line", line{lines.Text()}, client.WhenSubscribed())
		if err != nil {
			screen.say("* not said: %v", err)
		}
	}
}

// A screen is written to by several goroutines.
type screen struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}
