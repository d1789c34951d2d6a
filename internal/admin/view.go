package admin

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
)

// secrets says whether an answer has them.
type secrets bool

const (
	hideSecrets secrets = false
	showSecrets secrets = true // only where they were made
)

// A pair is credentials as they are told and taken.
type pair struct {
	Key     string     `json:"key"`
	Secret  string     `json:"secret,omitempty"`
	Created *time.Time `json:"created,omitempty"` // absent if they were written by hand
}

func viewKey(k apps.Key, s secrets) pair {
	p := pair{Key: k.Key}
	if s == showSecrets {
		p.Secret = k.Secret
	}
	if !k.Created.IsZero() {
		p.Created = &k.Created
	}
	return p
}

// mistakes returns what is wrong with a pair that was brought along, under
// names that begin with prefix.
func (p pair) mistakes(prefix string) apps.Mistakes {
	list, _ := apps.CheckKey(apps.Key{Key: p.Key, Secret: p.Secret}).(apps.Mistakes)
	for i := range list {
		list[i].Setting = prefix + list[i].Setting
	}
	if p.Created != nil {
		list = append(list, apps.Mistake{Setting: prefix + "created", Text: "is not for the caller to say"})
	}
	return list
}

// view is an app as the API tells it: settings, webhooks, keys, and where it
// stands. Who may not change it sees only the hosts of its endpoints.
func view(e appstore.Entry, s secrets, p access.Principal) json.RawMessage {
	if !p.Role.AtLeast(access.AppAdmin) {
		app := *e.App
		app.Webhooks = slices.Clone(app.Webhooks)
		for i := range app.Webhooks {
			app.Webhooks[i].URL, app.Webhooks[i].Headers = apps.HostOnly(app.Webhooks[i].URL), nil
		}
		e.App = &app
	}
	about := struct {
		Webhooks json.RawMessage `json:"webhooks"`
		Keys     []pair          `json:"keys"`
		Source   string          `json:"source"`
		Revision uint64          `json:"revision,omitempty"`
		Created  *time.Time      `json:"created,omitempty"`
		Updated  *time.Time      `json:"updated,omitempty"`
	}{Webhooks: e.App.AppendWebhooks(nil, false), Keys: []pair{}, Source: "configuration"}
	for _, k := range e.App.Keys {
		about.Keys = append(about.Keys, viewKey(k, s))
	}
	if !e.Configured {
		about.Source, about.Revision, about.Created, about.Updated = "store", e.Revision, &e.Created, &e.Updated
	}
	members, err := json.Marshal(about)
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	settings := e.App.AppendSettings([]byte{'{'}, true)
	return append(append(settings, ','), members[1:]...)
}
