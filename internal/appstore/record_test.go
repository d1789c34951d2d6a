package appstore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// A newer version may have written settings that this one does not know. It
// must serve the app all the same, and lose nothing when it changes it.
func TestWhatANewerVersionWroteIsKept(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	const text = `{"id":"1","keys":[{"key":"k","secret":"s","created":"2026-01-01T00:00:00Z"}],"created":"2026-01-01T00:00:00Z",` +
		`"updated":"2026-01-01T00:00:00Z","future":{"a":[1]},"limits":{"connections":5,"future":7}}`
	if _, err := s.bucket.Put(t.Context(), "app.1", []byte(text)); err != nil {
		t.Fatal(err)
	}
	n.until("the app comes", func() bool { return n.registry.ByKey("k") != nil })
	if _, err := n.Update(t.Context(), "1", 0, func(a *apps.App) error { a.Name = "x"; return nil }); err != nil {
		t.Fatal(err)
	}
	e, err := s.bucket.Get(t.Context(), "app.1")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(e.Value(), &got); err != nil {
		t.Fatal(err)
	}
	if future, _ := json.Marshal(got["future"]); string(future) != `{"a":[1]}` || got["limits.future"] != 7. || got["name"] != "x" {
		t.Errorf("the record is %s, want it to have what it had", e.Value())
	}
}

// What an older version has kept under its full name is a setting for one that
// knows it.
func TestWhatAnOlderVersionKeptIsRead(t *testing.T) {
	r, err := decode([]byte(`{"id":"1","limits.connections":7,"limits.future":8,"keys":[]}`), 1)
	if err != nil || r.app.Limits.Connections != 7 || len(r.unknown) != 1 {
		t.Fatalf("decode = %+v, %v, want 7 connections and one member that is unknown", r, err)
	}
}

func TestUnreadableAppStaysWhatItWas(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	n.create(app("1", "k1"))
	for i, text := range []string{"", "hunter2", `{"id":"1","keys":[{"key":"k","secret":""}]}`, `{"id":"2"}`, `{"id":"1","limits":{"connections":-1}}`, `{}`} {
		if _, err := s.bucket.Put(t.Context(), "app.1", []byte(text)); err != nil {
			t.Fatal(err)
		}
		n.until("it is refused", func() bool {
			return strings.Count(n.log.String(), "can not be read; it stays as it was") == i+1
		})
	}
	if n.registry.ByKey("k1") == nil {
		t.Error("the app is not served any more")
	}
	if strings.Contains(n.log.String(), "hunter2") {
		t.Errorf("the log repeats what was written:\n%s", n.log)
	}
	if _, err := n.Update(t.Context(), "1", 0, func(*apps.App) error { return nil }); err == nil {
		t.Error("Update of an app that can not be read = nil, want an error")
	}
}

func TestIDsAndKeysOfTheBucket(t *testing.T) {
	for _, id := range []string{"1", "a.b", ".a", "a..b", "a-_.9"} {
		key := bucketKey(id)
		if strings.Contains(strings.TrimPrefix(key, "app."), ".") {
			t.Errorf("bucketKey(%q) = %q has a dot", id, key)
		}
		if got, ok := idOf(key); got != id || !ok {
			t.Errorf("idOf(%q) = %q, %t, want %q", key, got, ok, id)
		}
	}
	if _, ok := idOf("first"); ok {
		t.Error("idOf of a key of something else is ok")
	}
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	r := &record{app: app("1", "k"), created: time.Unix(1, 0).UTC(), updated: time.Unix(2, 0).UTC()}
	r.app.Keys[0].Created = time.Unix(3, 0).UTC()
	text, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(text, 9)
	if err != nil || !got.app.Same(r.app) || !got.created.Equal(r.created) || !got.updated.Equal(r.updated) || got.revision != 9 {
		t.Errorf("decode(%s) = %+v, %v", text, got, err)
	}
	if want := `{"id":"1","created":"1970-01-01T00:00:01Z","keys":[{"key":"k","secret":"s-k","created":"1970-01-01T00:00:03Z"}],"updated":"1970-01-01T00:00:02Z"}`; string(text) != want {
		t.Errorf("encode = %s, want %s", text, want)
	}
}
