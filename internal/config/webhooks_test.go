package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

const appWithWebhooks = `apps: [{id: "1", keys: [{key: k, secret: s}], webhooks: %}]`

func loadWebhooks(t *testing.T, text string) ([]apps.Webhook, error) {
	t.Helper()
	c, err := Load(Source{Environ: []string{"BELFRY_APPS=" + strings.TrimPrefix(strings.Replace(appWithWebhooks, "%", text, 1), "apps: ")}})
	if err != nil {
		return nil, err
	}
	return c.Server.Apps[0].Webhooks, nil
}

func TestWebhooksOfTheFile(t *testing.T) {
	list, err := loadWebhooks(t, `[{url: "https://example.com/h", events: [presence, cache_miss], channel_prefixes: [presence-], headers: ["X-A: b"], batch: false}, {url: "http://h", id: two}]`)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Batch || !list[1].Batch || list[1].Name() != "two" ||
		list[0].Events != apps.MemberAdded|apps.MemberRemoved|apps.CacheMiss || list[0].Headers[0] != (apps.Header{Name: "X-A", Value: "b"}) {
		t.Errorf("webhooks are %+v", list)
	}
}

func TestMistakesInWebhooks(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a scalar":      {`x`, "apps[0].webhooks: is not a list of endpoints"},
		"no url":        {`[{id: a}]`, "apps[0].webhooks[0].url: is missing"},
		"empty":         {`[~]`, "apps[0].webhooks[0]: is empty"},
		"a url":         {`[{url: SECRET}]`, "apps[0].webhooks[0].url: is not an address"},
		"a header":      {`[{url: "http://h", headers: ["X-Pusher-Key: SECRET"]}]`, "apps[0].webhooks[0].headers: has X-Pusher-Key"},
		"unknown":       {`[{url: "http://h", event: [SECRET]}]`, "did you mean events?"},
		"unknown event": {`[{url: "http://h", events: [channel_ocupied]}]`, "did you mean channel_occupied?"},
		"hidden header": {`[{url: "http://h", headers: ["X-A: …"]}]`, "apps[0].webhooks[0].headers[0]: the value of X-A is hidden; write it out"},
		"hidden query":  {`[{url: "http://h/?…"}]`, "apps[0].webhooks[0].url: has a hidden password or query; write it out"},
		"twice":         {`[{url: "http://h"}, {url: "http://h"}]`, "apps[0].webhooks[1].id: stands for the same endpoint"},
	}
	for name, tt := range tests {
		_, err := loadWebhooks(t, tt.text)
		if problems, ok := errors.AsType[Problems](err); !ok || !strings.Contains(problems.Error(), tt.want) {
			t.Errorf("%s: Load = %v, want %q in it", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %q repeats what may be a secret", name, err)
		}
	}
}
