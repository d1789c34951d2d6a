package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/notification"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newEngine(t testing.TB, dir string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

func config(e *engine.Engine) Config {
	return Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) { return e.Bucket(ctx, BucketConfig()) },
		Drop: func(ctx context.Context, subject string, until uint64) error {
			stream, err := e.JetStream().Stream(ctx, engine.BucketStream(Bucket))
			if err != nil {
				return err
			}
			return stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(until))
		},
	}
}

// newNode returns a store that shares the engine with others, and has read it.
func newNode(t testing.TB, e *engine.Engine) *Store {
	t.Helper()
	s := New(config(e))
	t.Cleanup(s.Close)
	s.Begin()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Await(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

const app = "shop.1"

func (s *Store) make(t testing.TB, api notification.API, p notification.Platform, token string, interests ...string) Device {
	t.Helper()
	d, err := s.Register(t.Context(), app, Registration{API: api, Platform: p, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if len(interests) > 0 {
		must(t, s.SetInterests(t.Context(), app, d.ID, interests))
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds that another node is to see.
func (s *Store) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.await(ctx, holds); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func interested(names ...string) notification.Audience {
	return notification.Audience{Interests: names}
}

func TestDeviceOf2016IsTheSameForItsToken(t *testing.T) {
	e := newEngine(t, "")
	s, other := newNode(t, e), newNode(t, e)
	d := s.make(t, notification.Native, notification.APNs, "00ff", "donuts")
	if again := s.make(t, notification.Native, notification.APNs, "00ff"); again.ID != d.ID {
		t.Errorf("the same token is %s, want %s", again.ID, d.ID)
	}
	if again := other.make(t, notification.Native, notification.APNs, "00ff"); again.ID != d.ID {
		t.Errorf("the same token on another node is %s, want %s", again.ID, d.ID)
	}
	got, err := s.Get(t.Context(), app, d.ID)
	if err != nil || !slices.Equal(got.Interests, []string{"donuts"}) || got.Token != "00ff" {
		t.Errorf("Get = %+v, %v", got, err)
	}
	must(t, s.SetToken(t.Context(), app, d.ID, "0100", ""))
	if n := s.make(t, notification.Native, notification.APNs, "00ff"); n.ID == d.ID {
		t.Error("the token that it had before leads to the device still")
	}
	if again := s.make(t, notification.Native, notification.APNs, "0100"); again.ID != d.ID {
		t.Errorf("its other token is %s, want %s", again.ID, d.ID)
	}
}

func TestDeviceOfBeamsIsAnotherEachTime(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	ctx := t.Context()
	d := s.make(t, notification.Beams, notification.FCM, "tok", "donuts")
	must(t, s.SetUser(ctx, app, d.ID, "jane"))
	next := s.make(t, notification.Beams, notification.FCM, "tok")
	if next.ID == d.ID || len(next.Interests) > 0 || next.User != "" {
		t.Errorf("the same token is %+v", next)
	}
	if _, err := s.Get(ctx, app, d.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("the device before is there: %v", err)
	}
	if s.HasUser(app, "jane") || s.Count(app, interested("donuts")) != 0 {
		t.Error("the user or the interest of the device before is there")
	}
}

func TestInterestsOf2016GoOverToBeams(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	byToken := s.make(t, notification.Native, notification.GCM, "tok", "b", "c")
	byID := s.make(t, notification.Native, notification.GCM, "old", "a", "b")
	d, err := s.Register(t.Context(), app, Registration{
		API: notification.Beams, Platform: notification.FCM, Token: "tok", Previous: []string{byID.ID, "nonsense", byID.ID, byToken.ID},
	})
	if err != nil || !slices.Equal(d.Interests, []string{"a", "b", "c"}) {
		t.Fatalf("Register = %+v, %v", d, err)
	}
	for _, id := range []string{byToken.ID, byID.ID} {
		if _, err := s.Get(t.Context(), app, id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s is there: %v", id, err)
		}
	}
	if n := s.Count(app, interested("a", "b", "c")); n != 1 {
		t.Errorf("there are %d devices, want 1", n)
	}
}

func TestUsersHaveDevices(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	ctx := t.Context()
	var first Device
	for i := range MaxPerUser {
		d := s.make(t, notification.Beams, notification.FCM, fmt.Sprint(i))
		must(t, s.SetUser(ctx, app, d.ID, "jane"))
		if i == 0 {
			first = d
		}
	}
	must(t, s.SetUser(ctx, app, first.ID, "jane"))
	if err := s.SetUser(ctx, app, first.ID, "joe"); !errors.Is(err, ErrOtherUser) {
		t.Errorf("SetUser to another = %v", err)
	}
	more := s.make(t, notification.Beams, notification.FCM, "more")
	if err := s.SetUser(ctx, app, more.ID, "jane"); !errors.Is(err, ErrUserFull) {
		t.Errorf("SetUser of one more = %v", err)
	}
	web := s.make(t, notification.Beams, notification.Web, "{}")
	must(t, s.SetUser(ctx, app, web.ID, "jane"))
	if n, err := s.DeleteUser(ctx, app, "jane"); n != MaxPerUser+1 || err != nil {
		t.Errorf("DeleteUser = %d, %v", n, err)
	}
	if n, err := s.DeleteUser(ctx, app, "nobody"); n != 0 || err != nil {
		t.Errorf("DeleteUser of nobody = %d, %v", n, err)
	}
	if _, err := s.Get(ctx, app, web.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("a device of the user is there: %v", err)
	}
}

func TestPagesAreInOrderAndEachDeviceOnce(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	var ids []string
	for i := range 25 {
		api, p := notification.Beams, []notification.Platform{notification.APNs, notification.FCM, notification.Web}[i%3]
		if i%5 == 0 {
			api, p = notification.Native, notification.GCM
		}
		interests := []string{"a"}
		if i%2 == 0 {
			interests = append(interests, "b")
		}
		ids = append(ids, s.make(t, api, p, fmt.Sprintf("%02x", i), interests...).ID)
	}
	slices.Sort(ids)
	var got []string
	for after := ""; ; {
		page, err := s.Page(t.Context(), app, interested("a", "b", "a", "nobody"), after, 4)
		must(t, err)
		for _, d := range page {
			got = append(got, d.ID)
		}
		if len(page) < 4 {
			break
		}
		after = page[3].ID
	}
	if !slices.Equal(got, ids) {
		t.Errorf("pages have %v, want %v", got, ids)
	}
	if n := s.Count(app, interested("b", "a")); n != 25 {
		t.Errorf("Count = %d, want 25", n)
	}
	list, err := s.List(app, ids[9], 7)
	must(t, err)
	for i, d := range list {
		if d.ID != ids[10+i] {
			t.Errorf("List has %s, want %s", d.ID, ids[10+i])
		}
	}
	if len(list) != 7 {
		t.Errorf("List has %d devices, want 7", len(list))
	}
	if all, err := s.Interests(app, "", "", 10); err != nil || !slices.Equal(all, []InterestSize{{"a", 25}, {"b", 13}}) {
		t.Errorf("Interests = %v, %v", all, err)
	}
}

func TestRemovedOnlyIfNotConfirmedSince(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	d := s.make(t, notification.Native, notification.APNs, "00ff")
	if removed, err := s.Remove(t.Context(), d.Device, d.Confirmed.Add(-time.Millisecond)); removed || err != nil {
		t.Errorf("Remove of one confirmed later = %v, %v", removed, err)
	}
	was := d.Device
	was.Token = "beef"
	if removed, err := s.Remove(t.Context(), was, d.Confirmed); removed || err != nil {
		t.Errorf("Remove of another token = %v, %v", removed, err)
	}
	must(t, s.SetEnvironment(t.Context(), d.Device, notification.Sandbox))
	must(t, s.SetMismatched(t.Context(), d.Device, "pubid-1"))
	if got, ok, err := s.Device(t.Context(), app, d.ID); !ok || err != nil || got.Environment != notification.Sandbox || got.Mismatched != "pubid-1" {
		t.Errorf("Device = %+v, %v, %v", got, ok, err)
	}
	if removed, err := s.Remove(t.Context(), d.Device, d.Confirmed); !removed || err != nil {
		t.Errorf("Remove = %v, %v", removed, err)
	}
	if removed, err := s.Remove(t.Context(), d.Device, d.Confirmed); removed || err != nil {
		t.Errorf("Remove again = %v, %v", removed, err)
	}
}

func TestNodesSeeEachOthersChanges(t *testing.T) {
	e := newEngine(t, "")
	s, other := newNode(t, e), newNode(t, e)
	ctx := t.Context()
	d := s.make(t, notification.Beams, notification.FCM, "tok", "donuts")
	must(t, other.Subscribe(ctx, app, d.ID, "cake")) // at once, whether it was seen or not
	s.eventually(t, "the other node's change", func() bool { return s.Count(app, interested("cake")) == 1 })
	must(t, other.SetUser(ctx, app, d.ID, "jane"))
	if n, err := s.DeleteUser(ctx, app, "jane"); n != 1 || err != nil {
		t.Errorf("DeleteUser = %d, %v", n, err)
	}
	if err := other.Subscribe(ctx, app, d.ID, "tea"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Subscribe of one that is removed = %v", err)
	}
	other.eventually(t, "the end of the device", func() bool { return other.total() == 0 })
}

// TestOneTokenHasOneDevice: whoever registers it where at the same moment, all nodes
// agree in the end on who has it, and the bucket has nothing else.
func TestOneTokenHasOneDevice(t *testing.T) {
	e := newEngine(t, "")
	nodes := []*Store{newNode(t, e), newNode(t, e)}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			api := []notification.API{notification.Beams, notification.Native}[i%2]
			if _, err := nodes[i/2%2].Register(t.Context(), app, Registration{API: api, Platform: notification.FCM, Token: "tok"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	bucket := nodes[0].bucket
	only := func() string {
		keys, err := bucket.Keys(t.Context())
		if err != nil || len(keys) != 1 {
			return ""
		}
		return keys[0]
	}
	for _, s := range nodes {
		s.eventually(t, "one device", func() bool { return s.total() == 1 })
	}
	deadline := time.Now().Add(30 * time.Second)
	for only() == "" && time.Now().Before(deadline) {
		must(t, nodes[0].catchUp(t.Context(), bucket))
	}
	left := only()
	for _, s := range nodes {
		list, err := s.List(app, "", 10)
		if err != nil || len(list) != 1 || bucketKey(app, list[0].ID) != left {
			t.Errorf("a node has %v, %v, and the bucket %q", list, err, left)
		}
	}
}

func TestReadAgain(t *testing.T) {
	dir := t.TempDir()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dir})
	must(t, err)
	s := newNode(t, e)
	var ids []string
	for i := range 50 {
		ids = append(ids, s.make(t, notification.Native, notification.GCM, fmt.Sprint(i), "a", fmt.Sprint("n", i%3)).ID)
	}
	must(t, s.Delete(t.Context(), app, ids[0]))
	must(t, s.Delete(t.Context(), app, ids[0]))
	s.Close()
	must(t, e.Close(context.Background()))
	again := newNode(t, newEngine(t, dir))
	slices.Sort(ids[1:])
	page, err := again.Page(t.Context(), app, interested("a"), "", 100)
	must(t, err)
	var got []string
	for _, d := range page {
		got = append(got, d.ID)
	}
	if !slices.Equal(got, ids[1:]) {
		t.Errorf("after another start there are %v, want %v", got, ids[1:])
	}
}

func TestAppThatIsDeletedHasNone(t *testing.T) {
	e := newEngine(t, "")
	s, other := newNode(t, e), newNode(t, e)
	s.make(t, notification.Beams, notification.FCM, "tok", "donuts")
	other.eventually(t, "the device", func() bool { return other.total() == 1 })
	must(t, s.DropApp(t.Context(), app))
	other.eventually(t, "the end of the app", func() bool { return other.total() == 0 })
	s.make(t, notification.Beams, notification.FCM, "tok", "donuts")
	other.eventually(t, "a device of another app of that id", func() bool { return other.total() == 1 })
	if n := newNode(t, e).total(); n != 1 {
		t.Errorf("a node that starts has %d devices, want 1", n)
	}
}

func TestLostBucketIsWrittenAgain(t *testing.T) {
	e := newEngine(t, "")
	s, other := newNode(t, e), newNode(t, e)
	d := s.make(t, notification.Beams, notification.Web, "tok", "donuts")
	must(t, s.SetUser(t.Context(), app, d.ID, "jane"))
	other.eventually(t, "the device", func() bool { return other.HasUser(app, "jane") })
	must(t, e.JetStream().DeleteStream(t.Context(), engine.BucketStream(Bucket)))
	for _, n := range []*Store{s, other} {
		n.Reload()
	}
	late := newNode(t, e)
	late.eventually(t, "the device after the loss", func() bool { return late.HasUser(app, "jane") })
	for _, n := range []*Store{s, other} {
		n.eventually(t, "the bucket that was made anew", func() bool { return n.Ready() == nil && n.seen.Load() > 0 })
		must(t, n.Subscribe(t.Context(), app, d.ID, "after"))
	}
	late.eventually(t, "a change after the loss", func() bool { return late.Count(app, interested("after")) == 1 })
}

func TestBounds(t *testing.T) {
	s := newNode(t, newEngine(t, ""))
	d := s.make(t, notification.Beams, notification.FCM, "tok")
	many := make([]string, MaxInterests+1)
	for i := range many {
		many[i] = strings.Repeat("x", 150) + fmt.Sprint(i)
	}
	if err := s.SetInterests(t.Context(), app, d.ID, many); !errors.Is(err, ErrTooManyInterests) {
		t.Errorf("SetInterests of %d = %v", len(many), err)
	}
	must(t, s.SetInterests(t.Context(), app, d.ID, many[1:]))
	if err := s.Subscribe(t.Context(), app, d.ID, many[0]); !errors.Is(err, ErrTooManyInterests) {
		t.Errorf("Subscribe beyond the limit = %v", err)
	}
	if _, err := s.Register(t.Context(), app, Registration{API: notification.Beams, Platform: notification.FCM, Token: "more", MaxDevices: 1}); !errors.Is(err, ErrFull) {
		t.Errorf("Register beyond the limit = %v", err)
	}
	if _, err := s.Register(t.Context(), app, Registration{API: notification.Beams, Platform: notification.FCM, Token: "tok", MaxDevices: 1}); err != nil {
		t.Errorf("Register in place of another = %v", err)
	}
	if n := s.Amounts(app); n.Interests != 0 || n.Devices[notification.FCM] != 1 {
		t.Errorf("Amounts = %+v", n)
	}
}
