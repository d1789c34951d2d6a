package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/work"
)

const (
	// partSize is how many results one call has.
	partSize = 500
	// fullAgain is the wait while there is no room for calls.
	fullAgain = 5 * time.Second
)

// beamsReport is what the backend of a publish of Beams is told.
type beamsReport struct {
	PublishID string                        `json:"publishId"`
	Status    string                        `json:"status"`
	Request   json.RawMessage               `json:"requestBody,omitempty"`
	Results   map[notification.Platform]any `json:"results,omitempty"`
}

var plainJSON = map[string]string{"Content-Type": "application/json"}

// tellBegun tells the backend of a publish of Beams that it has begun.
func (r *run) tellBegun(ctx context.Context) error {
	body, err := marshal(beamsReport{PublishID: r.p.ID, Status: "STARTED", Request: r.p.Callback.Request})
	if err == nil {
		err = r.put(ctx, "started", body, plainJSON, callback.BeamsSchedule)
	}
	if errors.Is(err, work.ErrFull) {
		err = nil // the end is what matters
	}
	if r.progress.Told = err == nil; err == nil {
		err = r.save(ctx)
	}
	return err
}

// put puts a call to the address that the publish names. The same one is put once.
func (r *run) put(ctx context.Context, what string, body []byte, header map[string]string, s callback.Schedule) error {
	return r.d.cfg.Callbacks.Put(ctx, &callback.Call{
		ID: r.p.ID + "." + what, App: r.p.App, URL: r.p.Callback.URL, Header: header, Body: body, Schedule: s,
	})
}

// finish tells the backend what became of the publish, and writes down that it did. While there
// is no room for calls, it returns how long to wait.
func (r *run) finish(ctx context.Context) (wait time.Duration, done bool, err error) {
	if len(r.p.Audience.Users) > 0 {
		err = r.tellUsers(ctx)
	}
	switch {
	case err != nil || r.p.Callback.URL == "":
	case r.p.API == notification.Beams:
		err = r.tellFinished(ctx)
	case r.progress.Results > 0:
		err = r.tellResults(ctx)
	}
	if errors.Is(err, work.ErrFull) {
		return fullAgain, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	if r.progress.Ended = true; r.revision > 0 {
		err = r.save(ctx)
	}
	return 0, err == nil, err
}

// marshal is JSON as it is, without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("fanout: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// nativeReport is what the backend of a native publish is told.
type nativeReport struct {
	Time      int64                                   `json:"time_ms"`
	ID        string                                  `json:"notification_id"`
	App       string                                  `json:"app_id"`
	Interests []string                                `json:"interests"`
	Level     notification.Level                      `json:"level"`
	Summary   map[notification.Platform]nativeSummary `json:"summary"`
	Results   []result                                `json:"results"`
	Part      int                                     `json:"part"`
	Parts     int                                     `json:"parts"`
}

type nativeSummary struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
}

// tellResults puts the calls with the results that were kept, those that were not put yet.
func (r *run) tellResults(ctx context.Context) error {
	key, secret, ok := r.d.cfg.Apps.SigningKey(r.p.App)
	if !ok {
		return nil // nobody is there any more who could check it
	}
	report := nativeReport{
		Time: time.Now().UnixMilli(), ID: r.p.ID, App: r.p.App, Interests: r.p.Audience.Interests,
		Level: r.p.Callback.Level, Summary: r.summary(), Parts: (r.progress.Results + partSize - 1) / partSize,
	}
	if report.Level == "" {
		report.Level = notification.Info
	}
	flush := func() error {
		report.Part++
		results := report.Results
		defer func() { report.Results = nil }()
		if len(results) == 0 || report.Part <= r.progress.Parts {
			return nil
		}
		body, err := marshal(report)
		if err == nil {
			err = r.put(ctx, "part-"+strconv.Itoa(report.Part), body, callback.Signed(key, secret, body), callback.NativeSchedule)
		}
		if err == nil {
			r.progress.Parts = report.Part
		}
		return err
	}
	seen := 0
	err := r.d.states.each(ctx, r.p.ID+".results.*", func(e jetstream.KeyValueEntry) error {
		var list []result
		if err := json.Unmarshal(e.Value(), &list); err != nil {
			return err
		}
		seen += len(list)
		for len(list) > 0 {
			n := min(partSize-len(report.Results), len(list))
			report.Results, list = append(report.Results, list[:n]...), list[n:]
			if len(report.Results) == partSize {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case seen < r.progress.Results:
		return errEarly
	}
	return flush()
}

// summary counts by platform, as the native API calls them.
func (r *run) summary() map[notification.Platform]nativeSummary {
	all := make(map[notification.Platform]nativeSummary)
	for _, n := range r.p.Notifications {
		c := r.progress.Counts[n.Platform]
		all[n.Platform] = nativeSummary{c.Accepted, c.Failed + c.Removed}
	}
	return all
}

// tellFinished tells the backend of a publish of Beams that it is finished.
func (r *run) tellFinished(ctx context.Context) error {
	sums := make(map[notification.Platform]counts)
	for _, n := range r.p.Notifications {
		sums[n.Platform.Provider()] = counts{}
	}
	for platform, c := range r.progress.Counts {
		sum := sums[platform.Provider()]
		sum.Accepted += c.Accepted
		sum.Failed += c.Failed + c.Removed
		sums[platform.Provider()] = sum
	}
	report := beamsReport{PublishID: r.p.ID, Status: "FINISHED", Request: r.p.Callback.Request, Results: make(map[notification.Platform]any)}
	for platform, sum := range sums {
		if sum.Accepted == 0 && sum.Failed > 0 {
			report.Results[platform] = map[string]bool{"failed": true}
			continue
		}
		report.Results[platform] = map[string]int{"numSuccessfulPublishes": sum.Accepted, "numFailedPublishes": sum.Failed}
	}
	body, err := marshal(report)
	if err != nil {
		return err
	}
	return r.put(ctx, "finished", body, plainJSON, callback.BeamsSchedule)
}

// usersReport is what a webhook of Beams is told of a publish to users.
type usersReport struct {
	InstanceID string   `json:"instance_id"`
	PublishID  string   `json:"publish_id"`
	Delivered  []string `json:"users_delivered_to_gateway"`
	NoDevices  []string `json:"users_no_devices"`
	Failed     []string `json:"users_gateway_failed"`
}

// tellUsers tells the webhooks of the app what became of each user, who is in one of the lists.
func (r *run) tellUsers(ctx context.Context) error {
	c, ok := r.d.cfg.Apps.Credentials(r.p.App)
	if !ok || r.p.API != notification.Beams {
		return nil
	}
	report := usersReport{InstanceID: c.InstanceID, PublishID: r.p.ID, Delivered: []string{}, NoDevices: []string{}, Failed: []string{}}
	for user, i := range r.users {
		switch r.progress.Users[i] {
		case userTaken:
			report.Delivered = append(report.Delivered, user)
		case userFailed:
			report.Failed = append(report.Failed, user)
		default:
			report.NoDevices = append(report.NoDevices, user)
		}
	}
	for _, list := range [][]string{report.Delivered, report.NoDevices, report.Failed} {
		slices.Sort(list)
	}
	for _, hook := range c.Webhooks {
		if !callback.Wanted(hook, callback.PublishToUsersAttempt) {
			continue
		}
		call, err := callback.Beams(hook, callback.BeamsEvent{
			App: r.p.App, Type: callback.PublishToUsersAttempt, ID: r.p.ID, At: time.Now(), Payload: report,
		})
		if err == nil {
			err = r.d.cfg.Callbacks.Put(ctx, call)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
