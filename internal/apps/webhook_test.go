package apps

import (
	"errors"
	"strings"
	"testing"
)

func TestWebhooksAreReadBackAsTheyWereWritten(t *testing.T) {
	a := New()
	err := a.Set([]byte(`{"webhooks":[{"url":"https://u:p@example.com/x?t=1","id":"main","events":["presence","client_event"],
		"channel_prefixes":["presence-"],"channel_prefixes_except":["presence-cache-"],"channel_suffixes":["-live"],"headers":["Authorization: Bearer abc"],"batch":false},
		{"url":"http://10.0.0.1/"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := a.Webhooks[0]
	if w.Events != MemberAdded|MemberRemoved|ClientEvent || w.Batch || w.Headers[0] != (Header{"Authorization", "Bearer abc"}) {
		t.Errorf("the first endpoint is %+v", w)
	}
	if w := a.Webhooks[1]; w.Events != 0 || !w.Batch {
		t.Errorf("the second endpoint is %+v, want the defaults", w)
	}
	b := New()
	if err := b.Set(append(a.AppendWebhooks([]byte(`{"webhooks":`), true), '}'), nil); err != nil {
		t.Fatal(err)
	}
	if !a.Same(b) {
		t.Errorf("read back: %+v, want %+v", b.Webhooks, a.Webhooks)
	}
	b.Webhooks[0].ChannelPrefixesExcept = nil
	if a.Same(b) {
		t.Error("Same of apps whose webhooks leave out other channels is true")
	}
	b.Webhooks[0].ChannelPrefixesExcept = a.Webhooks[0].ChannelPrefixesExcept
	b.Webhooks[1].Batch = false
	if a.Same(b) {
		t.Error("Same of apps with different webhooks is true")
	}
	shown := string(a.AppendWebhooks(nil, false))
	for _, secret := range []string{"Bearer", "abc", ":p@"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in %s", secret, shown)
		}
	}
}

func TestWebhookMistakes(t *testing.T) {
	tests := map[string]struct{ element, want string }{
		"no url":           {`{}`, "webhooks[0].url: is missing"},
		"null url":         {`{"url":null}`, "webhooks[0].url: is required"},
		"not a url":        {`{"url":"SECRET"}`, "webhooks[0].url: is not an address such as https://example.com/hooks"},
		"another scheme":   {`{"url":"ftp://SECRET/"}`, "webhooks[0].url: is not an address such as https://example.com/hooks"},
		"fragment":         {`{"url":"http://h/#SECRET"}`, "webhooks[0].url: has a part after #, which is never sent"},
		"event":            {`{"url":"http://h","events":["channel_ocupied"]}`, "did you mean channel_occupied?"},
		"events no list":   {`{"url":"http://h","events":"presence"}`, "webhooks[0].events: is not a list"},
		"signature":        {`{"url":"http://h","headers":["x-pusher-signature: SECRET"]}`, "webhooks[0].headers: has x-pusher-signature, which is not for settings to say"},
		"content type":     {`{"url":"http://h","headers":["Content-type: SECRET"]}`, "has Content-type, which"},
		"host":             {`{"url":"http://h","headers":["host: SECRET"]}`, "has host, which"},
		"length":           {`{"url":"http://h","headers":["Content-Length: 1"]}`, "has Content-Length, which"},
		"id header":        {`{"url":"http://h","headers":["X-Belfry-Webhook-Id: 1"]}`, "has X-Belfry-Webhook-Id, which"},
		"header injection": {`{"url":"http://h","headers":["A: SECRET\r\nX-Pusher-Key: x"]}`, "has a value of A that can not stand in a header"},
		"no header":        {`{"url":"http://h","headers":["SECRET"]}`, "webhooks[0].headers: has an element that is not a header"},
		"unknown":          {`{"url":"http://h","event_types":[]}`, "webhooks[0].event_types: unknown setting"},
		"twice":            {`{"url":"http://h"},{"url":"http://h"}`, "webhooks[1].id: stands for the same endpoint as [0]"},
		"empty prefix":     {`{"url":"http://h","channel_prefixes":[""]}`, "has an empty element"},
		"empty exception":  {`{"url":"http://h","channel_prefixes_except":[""]}`, "webhooks[0].channel_prefixes_except: has an empty element"},
		"no object":        {`7`, "webhooks[0]: is not an object of settings"},
		"not a list":       {``, ""},
	}
	for name, tt := range tests {
		text := `{"webhooks":[` + tt.element + `]}`
		if name == "not a list" {
			text, tt.want = `{"webhooks":{}}`, "webhooks: is not a list of endpoints"
		}
		a := New()
		err := a.Set([]byte(text), nil)
		mistakes, ok := errors.AsType[Mistakes](err)
		if !ok || !strings.Contains(mistakes.Error(), tt.want) {
			t.Errorf("%s: Set = %v, want %q in it", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %q repeats what may be a secret", name, err)
		}
		if len(a.Webhooks) != 0 {
			t.Errorf("%s: there are webhooks", name)
		}
	}
}

func TestWebhookWants(t *testing.T) {
	w := Webhook{Events: ChannelOccupied | CacheMiss, ChannelPrefixes: []string{"presence-", "cache-"}, ChannelSuffixes: []string{"-live"}}
	tests := []struct {
		event   WebhookEvents
		channel string
		want    bool
	}{
		{ChannelOccupied, "presence-a-live", true},
		{CacheMiss, "cache-a-live", true},
		{ChannelVacated, "presence-a-live", false},
		{ChannelOccupied, "presence-a", false},
		{ChannelOccupied, "a-live", false},
	}
	for _, tt := range tests {
		if got := w.Wants(tt.event, tt.channel); got != tt.want {
			t.Errorf("Wants(%v, %q) = %t, want %t", tt.event.Names(), tt.channel, got, tt.want)
		}
	}
	w = Webhook{Events: CacheMiss, ChannelPrefixes: []string{"private-"}, ChannelPrefixesExcept: []string{"private-encrypted-", "private-x"}}
	for channel, want := range map[string]bool{"private-a": true, "private-encrypted-cache-a": false, "private-x": false, "news": false} {
		if got := w.Wants(CacheMiss, channel); got != want {
			t.Errorf("Wants(cache_miss, %q) = %t, want %t", channel, got, want)
		}
	}
	if all := (&Webhook{Events: ClientEvent}); !all.Wants(ClientEvent, "x") {
		t.Error("an endpoint without filters does not want an event of its kind")
	}
}

func TestWebhookName(t *testing.T) {
	a, b := Webhook{URL: "http://h/a"}, Webhook{URL: "http://h/b"}
	if a.Name() == b.Name() || a.Name() != (&Webhook{URL: "http://h/a"}).Name() {
		t.Errorf("names are %s and %s, want one for each URL", a.Name(), b.Name())
	}
	a.ID = "main"
	if a.Name() != "main" {
		t.Errorf("Name() = %s, want the id", a.Name())
	}
}
