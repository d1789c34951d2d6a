package fanout

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// registry is devices in memory.
type registry struct {
	mu  sync.Mutex
	all map[string]notification.Device // by id
	ids []string                       // sorted
	of  map[string][]string            // interests of each, by id
}

func (r *registry) add(d notification.Device, interests ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all, r.of = make(map[string]notification.Device), make(map[string][]string)
	}
	d.App = cmp.Or(d.App, "1")
	d.API = cmp.Or(d.API, notification.Native)
	if d.Confirmed.IsZero() {
		d.Confirmed = time.Now().Add(-time.Hour)
	}
	r.all[d.ID], r.of[d.ID] = d, interests
	i := sort.SearchStrings(r.ids, d.ID)
	if i == len(r.ids) || r.ids[i] != d.ID {
		r.ids = slices.Insert(r.ids, i, d.ID)
	}
}

func (r *registry) Page(_ context.Context, app string, of notification.Audience, after string, limit int) (list []notification.Device, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := sort.SearchStrings(r.ids, after); i < len(r.ids) && len(list) < limit; i++ {
		d, ok := r.all[r.ids[i]]
		if !ok || d.ID == after || d.App != app {
			continue
		}
		wanted := d.User != "" && slices.Contains(of.Users, d.User)
		for _, interest := range r.of[d.ID] {
			wanted = wanted || slices.Contains(of.Interests, interest)
		}
		if wanted {
			list = append(list, d)
		}
	}
	return list, nil
}

func (r *registry) Device(_ context.Context, _, id string) (notification.Device, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.all[id]
	return d, ok, nil
}

func (r *registry) Remove(_ context.Context, d notification.Device, until time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.all[d.ID]
	if !ok || have.Token != d.Token || have.Confirmed.After(until) {
		return false, nil
	}
	delete(r.all, d.ID)
	return true, nil
}

func (r *registry) change(id string, f func(*notification.Device)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.all[id]; ok {
		f(&d)
		r.all[id] = d
	}
	return nil
}

func (r *registry) SetEnvironment(_ context.Context, d notification.Device, e notification.Environment) error {
	return r.change(d.ID, func(d *notification.Device) { d.Environment = e })
}

func (r *registry) SetMismatched(_ context.Context, d notification.Device, publish string) error {
	return r.change(d.ID, func(d *notification.Device) { d.Mismatched = publish })
}

func (r *registry) has(id string) bool {
	_, ok, _ := r.Device(context.Background(), "", id)
	return ok
}

// accounts are apps with credentials; each is signed with key and secret.
type accounts struct {
	mu  sync.Mutex
	all map[string]notification.Credentials
}

func (a *accounts) Credentials(app string) (notification.Credentials, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.all[app]
	return c, ok
}

func (a *accounts) set(app string, c notification.Credentials) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[app] = c
}

func (a *accounts) SigningKey(string) (key, secret string, ok bool) { return "key", "secret", true }

// rig is a dispatcher between an engine and fakes of the providers.
type rig struct {
	t         *testing.T
	engine    *engine.Engine
	devices   *registry
	accounts  *accounts
	apns      *pushtest.APNs
	fcm       *pushtest.FCM
	web       *pushtest.Web
	backend   *backend
	providers Providers
	log       *safeBuffer
	metrics   *prometheus.Registry

	callbacks *callback.Queue
	d         *Dispatcher
}

const (
	teamID = "TEAM000001"
	keyID  = "KEY0000001"
)

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, devices: new(registry), accounts: &accounts{all: make(map[string]notification.Credentials)},
		apns: new(pushtest.APNs), fcm: new(pushtest.FCM), web: new(pushtest.Web), backend: newBackend(t), log: new(safeBuffer),
	}
	p8, err := r.apns.Key(teamID, keyID)
	if err != nil {
		t.Fatal(err)
	}
	r.apns.Start()
	r.fcm.Start()
	r.web.Start()
	account, err := r.fcm.ServiceAccount("shop")
	if err != nil {
		t.Fatal(err)
	}
	r.accounts.set("1", notification.Credentials{
		InstanceID: "i",
		APNs:       &notification.APNsCredentials{TeamID: teamID, KeyID: keyID, Key: p8, Topic: "com.example", Environment: notification.Production},
		FCM:        &notification.FCMCredentials{ServiceAccount: account},
	})
	roots := x509.NewCertPool()
	roots.AddCert(r.apns.Certificate())
	r.providers = Providers{APNs: r.apns.URL, APNsSandbox: r.apns.URL, FCM: r.fcm.URL, Roots: roots, AllowedNetworks: loopback, Timeout: 5 * time.Second}
	if r.engine, err = engine.Open(t.Context(), engine.Config{DataDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() {
		r.close()
		_ = r.engine.Close(context.Background())
		r.apns.Close()
		r.fcm.Close()
		r.web.Close()
	})
	return r
}

// open starts a dispatcher, and close stops it.
func (r *rig) open() {
	r.t.Helper()
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.metrics = prometheus.NewRegistry()
	var err error
	r.callbacks, err = callback.Open(r.t.Context(), callback.Config{Engine: r.engine, AllowedNetworks: loopback, Registerer: r.metrics, Log: log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.d, err = New(r.t.Context(), Config{
		Engine: r.engine, Devices: r.devices, Apps: r.accounts, Callbacks: r.callbacks, Providers: r.providers, Registerer: r.metrics, Log: log,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	_ = r.d.Stop(context.Background())
	_ = r.callbacks.Stop(context.Background())
}

var (
	payload = json.RawMessage(`{"aps":{"alert":"hello"}}`)
	message = json.RawMessage(`{"data":{"a":"b"}}`)
)

// publish publishes to interest "all", on each platform.
func (r *rig) publish(id string, change func(*notification.Publish)) *notification.Publish {
	r.t.Helper()
	p := &notification.Publish{
		ID: "pubid-" + id, App: "1", API: notification.Native, Accepted: time.Now(),
		Audience: notification.Audience{Interests: []string{"all"}},
		Notifications: []notification.Notification{
			{Platform: notification.APNs, Body: payload}, {Platform: notification.FCM, Body: message}, {Platform: notification.GCM, Body: message},
		},
	}
	if change != nil {
		change(p)
	}
	if err := r.d.Publish(r.t.Context(), p); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// phones adds so many devices of Apple to interest "all", and returns their tokens.
func (r *rig) phones(n int) (tokens []string) {
	for i := range n {
		token := fmt.Sprintf("%08x00", i)
		r.devices.add(notification.Device{ID: fmt.Sprintf("apns-%08d", i), Platform: notification.APNs, Token: token}, "all")
		tokens = append(tokens, token)
	}
	return tokens
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("it is not so after a quarter of an hour: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// finished waits until nothing is left of any publish.
func (r *rig) finished() {
	r.t.Helper()
	eventually(r.t, "all is delivered", func() bool {
		stream, err := r.engine.JetStream().Stream(r.t.Context(), streamName)
		return err == nil && stream.CachedInfo().State.Msgs == 0
	})
}

// A backend is told what became of publishes.
type backend struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	fail  int // so many calls with 500
}

type call struct {
	header http.Header
	body   []byte
}

func newBackend(t *testing.T) *backend {
	b := new(backend)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.calls = append(b.calls, call{r.Header.Clone(), body})
		if b.fail > 0 {
			b.fail--
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) got() []call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
