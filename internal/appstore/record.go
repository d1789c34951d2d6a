package appstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// A record is an app as it stands in the bucket. It is immutable.
type record struct {
	app      *apps.App
	created  time.Time
	updated  time.Time
	revision uint64
	// unknown are members that this version does not know, which a newer one
	// has written. They are kept, those inside a block under their full names.
	unknown map[string]json.RawMessage
}

func (r *record) entry() Entry {
	return Entry{App: r.app, Revision: r.revision, Created: r.created, Updated: r.updated}
}

// prefix is that of the keys of apps in the bucket.
const prefix = "app."

// bucketKey is where an app stands. A dot would divide the key, and an id has
// no equals sign.
func bucketKey(id string) string { return prefix + strings.ReplaceAll(id, ".", "=") }

// idOf is the id of the app at a key of the bucket, if it is one of an app.
func idOf(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	return strings.ReplaceAll(rest, "=", "."), ok
}

// storedKey is a pair as it stands in a record.
type storedKey struct {
	Key     string    `json:"key"`
	Secret  string    `json:"secret"`
	Created time.Time `json:"created"`
}

// encode writes a record: the settings that are not as they are by default
// under their names, and what else there is.
func (r *record) encode() ([]byte, error) {
	b := r.app.AppendSettings([]byte{'{'}, false)
	keys := make([]storedKey, len(r.app.Keys))
	for i, k := range r.app.Keys {
		keys[i] = storedKey{k.Key, k.Secret, k.Created}
	}
	rest := map[string]any{"keys": keys, "created": r.created, "updated": r.updated}
	if len(r.app.Webhooks) > 0 {
		rest["webhooks"] = json.RawMessage(r.app.AppendWebhooks(nil, true))
	}
	for name, value := range r.unknown {
		rest[name] = value
	}
	members, err := json.Marshal(rest)
	if err != nil {
		return nil, fmt.Errorf("appstore: app %s: %w", r.app.ID, err)
	}
	return append(append(b, ','), members[1:]...), nil
}

// decode reads a record. Its errors do not repeat secrets.
func decode(text []byte, revision uint64) (*record, error) {
	r := &record{app: apps.New(), revision: revision, unknown: map[string]json.RawMessage{}}
	var bad error
	read := func(name string, value []byte, v any) {
		if err := json.Unmarshal(value, v); err != nil {
			bad = errors.Join(bad, fmt.Errorf("appstore: %s can not be read", name))
		}
	}
	var keys []storedKey
	err := r.app.Set(text, func(name string, value []byte) bool {
		switch name {
		case "keys":
			read(name, value, &keys)
		case "created":
			read(name, value, &r.created)
		case "updated":
			read(name, value, &r.updated)
		default:
			r.unknown[name] = append(json.RawMessage(nil), value...)
		}
		return true
	})
	if err := errors.Join(err, bad); err != nil {
		return nil, err
	}
	for _, k := range keys {
		key := apps.Key{Key: k.Key, Secret: k.Secret, Created: k.Created}
		if err := apps.CheckKey(key); err != nil {
			return nil, err
		}
		r.app.Keys = append(r.app.Keys, key)
	}
	for name, value := range r.unknown { // which this version may know
		block, rest, nested := strings.Cut(name, ".")
		if nested && r.app.Set(fmt.Appendf(nil, "{%q:{%q:%s}}", block, rest, value), nil) == nil {
			delete(r.unknown, name)
		}
	}
	if r.app.ID == "" {
		return nil, errors.New("appstore: id is missing")
	}
	return r, nil
}
