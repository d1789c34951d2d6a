package adminclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// silence is how long an answer without an end may say nothing; the service
	// says something every 15 seconds.
	silence   = 40 * time.Second
	maxRow    = 1 << 20
	firstWait = time.Second
	maxWait   = 15 * time.Second
)

// Follow asks for an answer without an end and calls each with the data of its
// server-sent events. When the connection is lost it asks again for what follows.
// It returns when ctx ends or the service refuses. State is called with nil when the
// answer begins, and with the reason when the connection is lost.
func (c Client) Follow(ctx context.Context, q Request, each func(data []byte) error, state func(error)) error {
	f := follower{client: c, request: q, each: each, state: state}
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		began := f.last
		err := f.read(ctx)
		_, cut := errors.AsType[*cutError](err)
		switch {
		case ctx.Err() != nil:
			return nil
		case !cut || !f.connected:
			return err
		}
		if f.last != began {
			wait = firstWait
		}
		state(err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// A cutError is that the connection is lost.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// A follower is an answer without an end that is read.
type follower struct {
	client    Client
	request   Request
	each      func(data []byte) error
	state     func(error)
	last      string // id of the last event
	connected bool   // at least once
}

// read takes what one answer brings.
func (f *follower) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := f.client.request(ctx, f.request)
	if err != nil {
		return err
	}
	if f.last != "" {
		r.Header.Set("Last-Event-ID", f.last)
	}
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	response, err := noRedirects.Do(r)
	if err != nil {
		return &cutError{f.client.explainUnreachable(err)}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reply, _ := io.ReadAll(io.LimitReader(response.Body, maxRow))
		return f.client.explainStatus(response, reply)
	}
	f.connected = true
	f.state(nil)
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxRow)
	for id := ""; lines.Scan(); watchdog.Reset(silence) {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			id = value
		case "data":
			if err := f.each([]byte(value)); err != nil {
				return err
			}
			f.last = id
		}
	}
	if err := lines.Err(); err != nil {
		return &cutError{err}
	}
	return &cutError{errors.New("the service has ended its answer")}
}
