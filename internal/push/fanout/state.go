package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// bucketName is the bucket of what is written down of publishes.
	bucketName = "belfry_push_progress"
	// kept is how long it is kept if nobody removes it: longer than a publish lives.
	kept = 2 * MaxAge
	// patience is how long the engine has for one step, and longPatience for one that
	// reads very much.
	patience, longPatience = 5 * time.Second, time.Minute
)

// errEarly says that the copy of the bucket that was read is not up to date.
var errEarly = errors.New("fanout: the copy of the progress that was read is not up to date")

// errTaken says that another node works on the publish.
var errTaken = errors.New("fanout: another node goes on with the publish")

// progress is how far a publish is.
type progress struct {
	Step   int    `json:"step"`             // pages that were sent, those that were sent again included
	Cursor string `json:"cursor,omitempty"` // the last device of the last page
	Read   bool   `json:"read,omitempty"`   // there are no more pages
	Told   bool   `json:"told,omitempty"`   // the backend was told that it has begun
	Ended  bool   `json:"ended,omitempty"`  // the backend was told that it has ended

	// Waiting is how many pages have devices that are tried again. A copy of the bucket that
	// has fewer of them is not up to date.
	Waiting int `json:"waiting,omitempty"`

	Counts  map[notification.Platform]counts `json:"counts,omitempty"`
	Stopped map[int]string                   `json:"stopped,omitempty"` // notifications that the provider refuses, and why
	Users   []byte                           `json:"users,omitempty"`   // what became of each user
	Results int                              `json:"results,omitempty"` // that were kept for the backend
	Parts   int                              `json:"parts,omitempty"`   // calls with results that were put
}

// counts are of one platform.
type counts struct {
	Accepted int `json:"accepted,omitempty"`
	Failed   int `json:"failed,omitempty"`
	Removed  int `json:"removed,omitempty"`
	Retried  int `json:"retried,omitempty"`
}

// A pending device is one that has to be tried again.
type pending struct {
	Device  string    `json:"device"`
	Attempt int       `json:"attempt,omitempty"` // that were made
	Due     time.Time `json:"due"`
}

// A waiting page is one with devices that are to be tried again.
type waiting struct {
	at       time.Time // when the first of them is due
	revision uint64    // of what is written down of them
}

// A result is what the backend is told of one device.
type result struct {
	Platform notification.Platform `json:"platform"`
	ClientID string                `json:"client_id"`
	Success  bool                  `json:"success"`
	Reason   string                `json:"description"`
	ID       string                `json:"id"`
	Token    string                `json:"sent_device_token"`
	NewToken *string               `json:"received_device_token"` // null: providers do not say it any more
}

// states are what is written down of all publishes, in a bucket. Under the id of a publish
// there are its progress, the devices of each page that are tried again, and results.
type states struct {
	bucket jetstream.KeyValue
	stream jetstream.Stream // behind the bucket
}

func openStates(ctx context.Context, e *engine.Engine) (*states, error) {
	bucket, err := e.Bucket(ctx, jetstream.KeyValueConfig{
		Bucket: bucketName, Description: "how far push notifications are", History: 1, TTL: kept,
	})
	if err != nil {
		return nil, fmt.Errorf("fanout: %w", err)
	}
	stream, err := e.JetStream().Stream(ctx, engine.BucketStream(bucketName))
	if err != nil {
		return nil, fmt.Errorf("fanout: %w", err)
	}
	return &states{bucket, stream}, nil
}

func progressKey(publish string) string { return publish + ".progress" }

func pageKey(publish string, page int) string { return publish + ".pending." + strconv.Itoa(page) }

func resultKey(publish string, step int) string {
	return publish + ".results." + strconv.Itoa(step)
}

// load returns how far a publish is, and the revision of that. Zero is that nothing is
// written down.
func (s *states) load(ctx context.Context, publish string) (p progress, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e, err := s.bucket.Get(ctx, progressKey(publish))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return p, 0, nil
	}
	if err == nil {
		revision = e.Revision()
		err = json.Unmarshal(e.Value(), &p)
	}
	if err != nil {
		return p, 0, fmt.Errorf("fanout: read progress: %w", err)
	}
	return p, revision, nil
}

// save writes down how far a publish is, and returns the new revision. It is errTaken if
// somebody else has written meanwhile.
func (s *states) save(ctx context.Context, publish string, p *progress, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := json.Marshal(p)
	if err != nil {
		return 0, fmt.Errorf("fanout: %w", err)
	}
	if revision == 0 {
		revision, err = s.bucket.Create(ctx, progressKey(publish), text)
	} else {
		revision, err = s.bucket.Update(ctx, progressKey(publish), text, revision)
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || errors.Is(err, jetstream.ErrKeyExists) {
		return 0, errTaken
	}
	if err != nil {
		return 0, fmt.Errorf("fanout: write progress: %w", err)
	}
	return revision, nil
}

// waiting returns the pages that have devices to be tried again.
func (s *states) waiting(ctx context.Context, publish string) (map[int]waiting, error) {
	all := make(map[int]waiting)
	err := s.each(ctx, publish+".pending.*", func(e jetstream.KeyValueEntry) error {
		page, err := strconv.Atoi(e.Key()[strings.LastIndexByte(e.Key(), '.')+1:])
		if err != nil {
			return err
		}
		var list []pending
		if err := json.Unmarshal(e.Value(), &list); err != nil {
			return err
		}
		all[page] = waiting{earliest(list), e.Revision()}
		return nil
	})
	return all, err
}

// earliest is when the first of them is due.
func earliest(list []pending) (due time.Time) {
	for _, p := range list {
		if due.IsZero() || p.Due.Before(due) {
			due = p.Due
		}
	}
	return due
}

// each calls f for what stands under keys, in the order in which it was written.
func (s *states) each(ctx context.Context, keys string, f func(jetstream.KeyValueEntry) error) error {
	ctx, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	watch, err := s.bucket.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("fanout: read progress: %w", err)
	}
	defer func() { _ = watch.Stop() }() // of a connection that is gone it has ended
	for {
		select {
		case e, ok := <-watch.Updates():
			if !ok {
				return errors.New("fanout: read progress: the watch has ended")
			}
			if e == nil {
				return nil
			}
			if err := f(e); err != nil {
				return fmt.Errorf("fanout: read progress: %w", err)
			}
		case <-ctx.Done():
			return fmt.Errorf("fanout: read progress: %w", ctx.Err())
		}
	}
}

// pending returns the devices of a page that are to be tried again, as they were written down
// with that revision or a later one.
func (s *states) pending(ctx context.Context, publish string, page int, revision uint64) (list []pending, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e, err := s.bucket.Get(ctx, pageKey(publish, page))
	if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && e.Revision() < revision {
		return nil, errEarly
	}
	if err == nil {
		err = json.Unmarshal(e.Value(), &list)
	}
	if err != nil {
		return nil, fmt.Errorf("fanout: read progress: %w", err)
	}
	return list, nil
}

// setPending writes down the devices of a page that are to be tried again, or that there are
// none. It returns the revision.
func (s *states) setPending(ctx context.Context, publish string, page int, list []pending) (uint64, error) {
	if len(list) == 0 {
		return 0, s.remove(ctx, pageKey(publish, page))
	}
	return s.put(ctx, pageKey(publish, page), list)
}

// addResults writes down what the backend will be told.
func (s *states) addResults(ctx context.Context, publish string, step int, list []result) error {
	_, err := s.put(ctx, resultKey(publish, step), list)
	return err
}

func (s *states) put(ctx context.Context, key string, v any) (revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := json.Marshal(v)
	if err == nil {
		revision, err = s.bucket.Put(ctx, key, text)
	}
	if err != nil {
		return 0, fmt.Errorf("fanout: write progress: %w", err)
	}
	return revision, nil
}

// remove removes keys, so that no tombstone stays.
func (s *states) remove(ctx context.Context, keys string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+bucketName+"."+keys))
	if err != nil {
		return fmt.Errorf("fanout: remove progress: %w", err)
	}
	return nil
}

// forget removes all that is written down of a publish.
func (s *states) forget(ctx context.Context, publish string) error {
	return s.remove(ctx, publish+".>")
}
