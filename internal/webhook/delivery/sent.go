package delivery

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// noteSent writes a request down that is about to be sent for the first time.
func (e *endpoint) noteSent(r *request, hook *apps.Webhook) {
	if r.sent != nil {
		return
	}
	events := make([]*queue.Event, len(r.items))
	for i := range r.items {
		events[i] = r.items[i].event
	}
	r.sent = e.History.Begin(e.to, hook.Redacted(), r.body, events)
}

// ownHeaders are those of requests that have no secret in them. What others say is
// a setting of the app, and may be a password.
var ownHeaders = []string{"Content-Type", "User-Agent", "X-Pusher-Key", "X-Pusher-Signature", headerIDs, headerAttempt}

// tried is an attempt as it is written down.
func (o *outcome) tried() (header []sent.Field, t sent.Try) {
	t = sent.Try{
		At: o.at.UTC(), Status: o.status, Cause: string(o.cause), Took: o.took,
		Header: fields(o.answer, func(name string) bool { return name == "Set-Cookie" }), Answer: o.body, More: o.more,
	}
	if o.err != nil {
		t.Error = o.err.Error()
	}
	return fields(o.request, func(name string) bool { return !slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) }), t
}

// fields are the lines of a header, ordered by name, as far as there is room for
// them. Those that are hidden have no value.
func fields(header http.Header, hidden func(name string) bool) (list []sent.Field) {
	room := sent.MaxAnswer
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			f := sent.Field{Name: strings.Clone(name), Hidden: hidden(name)}
			if !f.Hidden {
				f.Value = strings.Clone(value)
			}
			if room -= len(f.Name) + len(f.Value); room < 0 {
				return list
			}
			list = append(list, f)
		}
	}
	return list
}

// Redeliver sends a request that was sent before to its endpoint once more, at once
// and beside its queue, with the ids that its events had. It reports whether the
// request is remembered, and its endpoint still there.
func (d *Dispatcher) Redeliver(ctx context.Context, id string) (trial Trial, known bool) {
	entry, found := d.site.History.Get(id)
	if entry == nil {
		return trial, false
	}
	e := endpoint{site: d.site, to: found.To}
	app, hook := e.app()
	if app == nil {
		return trial, false
	}
	ids := make([]string, len(found.Events))
	for i := range found.Events {
		ids[i] = found.Events[i].ID
	}
	r := &request{body: found.Again(time.Now())}
	r.sign(app)
	header := r.header(hook)
	header.Set(headerIDs, strings.Join(ids, ","))
	header.Set(headerAttempt, strconv.Itoa(found.Attempts+1))
	o := post(ctx, &d.site.Policy, hook, r.body, header)
	fields, t := o.tried()
	t.Manual = true
	entry.Tried(fields, t)
	return Trial{o.status, o.err, string(o.cause), o.took}, true
}
