package client_test

import (
	"context"
	"testing"

	"github.com/belfryhq/belfry/client"
)

func TestSmoke(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		r := record(c)
		ch, err := c.Subscribe("news")
		if err != nil {
			t.Fatal(err)
		}
		ch.Bind("hello", func(_ context.Context, e client.Event) { r.add("%s %s", e.Name, e.Data) })
		connect(t, c)
		f.peer(t, 1).event("hello", "news", `{"a":1}`)
		r.expect(t, "first", "0s initialized→connecting", "0s connecting→connected", `0s hello {"a":1}`)
	})
}
