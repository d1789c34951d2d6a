package backend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// Covers 17, 18, 19.
func TestDataIsSentAsTextOrAsOneLevelOfJSON(t *testing.T) {
	for _, test := range []struct {
		data any
		want string
	}{
		{"plain <b>", "plain <b>"},
		{"", ""},
		{[]byte(`{"a": 1}`), `{"a": 1}`},
		{json.RawMessage(`{"a":   1}`), `{"a":   1}`},
		{map[string]string{"html": "<a href='x'>&</a>"}, `{"html":"<a href='x'>&</a>"}`},
		{struct {
			A int `json:"a"`
		}{1}, `{"a":1}`},
		{nil, "null"},
		{12.5, "12.5"},
	} {
		s := answers(answer{status: 200, body: "{}"})
		if _, err := client(t, s).Trigger(t.Context(), "c", "e", test.data); err != nil {
			t.Errorf("Trigger(%v) = %v", test.data, err)
			continue
		}
		var body map[string]any
		if err := json.Unmarshal([]byte(s.last(t).body), &body); err != nil {
			t.Fatal(err)
		}
		if body["data"] != test.want || body["name"] != "e" || fmt.Sprint(body["channels"]) != "[c]" {
			t.Errorf("Trigger(%v) sent %v, want data %q", test.data, body, test.want)
		}
	}
	if _, err := client(t, answers()).Trigger(t.Context(), "c", "e", make(chan int)); !errors.Is(err, backend.ErrInvalidData) {
		t.Errorf("Trigger(chan) = %v, want ErrInvalidData", err)
	}
	if _, err := client(t, answers()).Trigger(t.Context(), "c", "e", "\xff"); !errors.Is(err, backend.ErrInvalidData) {
		t.Errorf("Trigger(invalid UTF-8) = %v, want ErrInvalidData", err)
	}
}

// names are n different channels.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("c%d", i)
	}
	return list
}

// refuses checks that a call is refused for a reason and nothing is sent.
func refuses(t *testing.T, what string, s *service, err, reason error) {
	t.Helper()
	e, ok := errors.AsType[*backend.ValidationError](err)
	if !ok || !errors.Is(err, reason) || e.Temporary() {
		t.Errorf("%s = %v, want a ValidationError that is %v", what, err, reason)
	}
	if s.count() > 0 {
		t.Errorf("%s was sent", what)
	}
}

// Covers 20, 21, 22, 23.
func TestWhatIsRefusedBeforeItIsSent(t *testing.T) {
	s := answers()
	c := client(t, s)
	long := strings.Repeat("x", 201)
	for _, test := range []struct {
		channels []string
		event    string
		socket   string
		want     error
	}{
		{nil, "e", "", backend.ErrNoChannels},
		{names(101), "e", "", backend.ErrTooManyChannels},
		{[]string{""}, "e", "", backend.ErrInvalidChannel},
		{[]string{"a b"}, "e", "", backend.ErrInvalidChannel},
		{[]string{"a:b"}, "e", "", backend.ErrInvalidChannel},
		{[]string{"ok", "ö"}, "e", "", backend.ErrInvalidChannel},
		{[]string{long}, "e", "", backend.ErrInvalidChannel},
		{[]string{"#x"}, "e", "", backend.ErrInvalidChannel},
		{[]string{"#server-to-user-"}, "e", "", backend.ErrInvalidChannel},
		{names(1), "", "", backend.ErrInvalidEventName},
		{names(1), strings.Repeat("é", 201), "", backend.ErrInvalidEventName},
		{names(1), "\xff", "", backend.ErrInvalidEventName},
		{names(1), "pusher:subscribe", "", backend.ErrInvalidEventName},
		{names(1), "pusher_internal:x", "", backend.ErrInvalidEventName},
		{names(1), "e", "1", backend.ErrInvalidSocketID},
		{names(1), "e", "a.b", backend.ErrInvalidSocketID},
		{names(1), "e", "1.2\n", backend.ErrInvalidSocketID},
		{names(1), "e", "1.2.3", backend.ErrInvalidSocketID},
		{names(1), "e", ".2", backend.ErrInvalidSocketID},
	} {
		var opts []backend.TriggerOption
		if test.socket != "" {
			opts = append(opts, backend.ExcludeSocket(test.socket))
		}
		_, err := c.TriggerMulti(t.Context(), test.channels, test.event, "d", opts...)
		refuses(t, fmt.Sprintf("TriggerMulti(%.60q, %.60q, %q)", test.channels, test.event, test.socket), s, err, test.want)
	}
	_, err := c.Trigger(t.Context(), "c", "e", "d", backend.ExcludeSocket(""))
	refuses(t, "ExcludeSocket of nothing", s, err, backend.ErrInvalidSocketID)
	_, err = c.Trigger(t.Context(), "c", "e", "d", backend.WantInfo(backend.CachedEvent))
	refuses(t, "WantInfo(cache)", s, err, backend.ErrInvalidAttribute)
	_, err = c.Trigger(t.Context(), "c", "e", "d", backend.Param("channels", "x"))
	refuses(t, "Param(channels)", s, err, backend.ErrInvalidParameter)
}

func TestWhatJustPasses(t *testing.T) {
	s := answers(answer{status: 200, body: "{}"})
	c := client(t, s)
	for _, call := range []func() error{
		func() error { _, err := c.TriggerMulti(t.Context(), names(100), "e", "d"); return err },
		func() error { _, err := c.TriggerMulti(t.Context(), append(names(100), "c1"), "e", "d"); return err },
		func() error { _, err := c.Trigger(t.Context(), strings.Repeat("x", 200), "e", "d"); return err },
		func() error { _, err := c.Trigger(t.Context(), "c", strings.Repeat("é", 200), "d"); return err },
		func() error { _, err := c.Trigger(t.Context(), "c", "client-e", "d"); return err },
		func() error {
			_, err := c.Trigger(t.Context(), "c", "e", "d", backend.ExcludeSocket("1.2"), backend.Param("tag", 1))
			return err
		},
		func() error { _, err := c.Trigger(t.Context(), "#server-to-user-7", "e", "d"); return err },
	} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	if s.count() != 7 {
		t.Errorf("%d requests, want 7", s.count())
	}
}

// Covers 24, 25, 61.
func TestSizeOfData(t *testing.T) {
	for _, test := range []struct {
		limit   int
		channel string
		size    int
		want    error
	}{
		{0, "c", 10240, nil},
		{0, "c", 10241, backend.ErrDataTooLarge},
		{0, "private-encrypted-c", 7619, nil},
		{0, "private-encrypted-c", 7620, backend.ErrDataTooLarge},
		{20000, "c", 20000, nil},
		{20000, "c", 20001, backend.ErrDataTooLarge},
		{-1, "c", 1 << 20, nil},
	} {
		c := client(t, answers(answer{status: 200, body: "{}"}), func(cfg *backend.Config) { cfg.Limits.DataBytes = test.limit })
		_, err := c.Trigger(t.Context(), test.channel, "e", strings.Repeat("x", test.size))
		if !errors.Is(err, test.want) {
			t.Errorf("Trigger of %d bytes on %s, limit %d = %v, want %v", test.size, test.channel, test.limit, err, test.want)
		}
	}
	lifted := backend.Limits{Channels: -1, Batch: -1, NameLength: -1, EventNameLength: -1, UserIDLength: -1, MemberIDLength: -1, MemberInfoBytes: -1, Watchlist: -1}
	c := client(t, answers(answer{status: 200, body: "{}"}), func(cfg *backend.Config) { cfg.Limits = lifted })
	long := strings.Repeat("x", 5000)
	if _, err := c.TriggerMulti(t.Context(), append(names(500), long), long, "d"); err != nil {
		t.Errorf("TriggerMulti without limits = %v", err)
	}
	if _, err := c.AuthenticateUser("1.2", backend.UserData{ID: "7", Watchlist: names(500)}); err != nil {
		t.Errorf("AuthenticateUser without limits = %v", err)
	}
	if _, err := c.AuthorizeChannel("1.2", "presence-x", &backend.Member{UserID: long, UserInfo: long}); err != nil {
		t.Errorf("AuthorizeChannel without limits = %v", err)
	}
}

// Covers 26.
func TestEncryptedChannelStandsAlone(t *testing.T) {
	s := answers()
	_, err := client(t, s).TriggerMulti(t.Context(), []string{"a", "private-encrypted-b"}, "e", "d")
	refuses(t, "TriggerMulti", s, err, backend.ErrEncryptedMulti)
	c := client(t, s, func(cfg *backend.Config) { cfg.EncryptionMasterKeyBase64 = "" })
	if _, err := c.Trigger(t.Context(), "private-encrypted-b", "e", "d"); !errors.Is(err, backend.ErrMasterKey) || s.count() > 0 {
		t.Errorf("Trigger without a key = %v after %d requests, want ErrMasterKey", err, s.count())
	}
}

// events are n events for one batch.
func events(n int) []backend.Event {
	list := make([]backend.Event, n)
	for i := range list {
		list[i] = backend.Event{Channel: "c", Name: fmt.Sprintf("e%d", i), Data: i}
	}
	return list
}

// Covers 27.
func TestSizeOfABatch(t *testing.T) {
	s := answers()
	c := client(t, s)
	_, err := c.TriggerBatch(t.Context(), nil)
	refuses(t, "TriggerBatch(nil)", s, err, backend.ErrBatchSize)
	_, err = c.TriggerBatch(t.Context(), events(11))
	refuses(t, "TriggerBatch of 11", s, err, backend.ErrBatchSize)
	_, err = c.TriggerBatch(t.Context(), append(events(1), backend.Event{Channel: "a b", Name: "e"}))
	refuses(t, "TriggerBatch with a bad channel", s, err, backend.ErrInvalidChannel)
	_, err = c.TriggerBatch(t.Context(), []backend.Event{{Channel: "a", Name: "e", SocketID: "x"}})
	refuses(t, "TriggerBatch with a bad socket", s, err, backend.ErrInvalidSocketID)
	ten := events(10)
	ten[0].Channel = "private-encrypted-x"
	before := slices.Clone(ten)
	if _, err := c.TriggerBatch(t.Context(), ten); err != nil {
		t.Errorf("TriggerBatch of 10 = %v", err)
	}
	for i := range ten {
		if ten[i].Data != before[i].Data || ten[i].Channel != before[i].Channel {
			t.Errorf("event %d was changed to %+v", i, ten[i])
		}
	}
}

// Covers 28.
func TestTriggerAllSplitsInOrder(t *testing.T) {
	s := answers(
		answer{status: 200, body: "{}"},
		answer{status: 200, body: `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"subscription_count":2},`, 10), ",") + `]}`},
		answer{status: 200, body: "{}"},
	)
	c := client(t, s)
	result, err := c.TriggerAll(t.Context(), events(25))
	if err != nil {
		t.Fatal(err)
	}
	if s.count() != 3 {
		t.Fatalf("%d requests, want 3", s.count())
	}
	n := 0
	for _, r := range s.requests {
		var body struct{ Batch []struct{ Name string } }
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatal(err)
		}
		for _, e := range body.Batch {
			if want := fmt.Sprintf("e%d", n); e.Name != want {
				t.Errorf("event %d is %s", n, e.Name)
			}
			n++
		}
	}
	if n != 25 || len(result.Events) != 25 || result.Events[9].SubscriptionCount != nil || *result.Events[10].SubscriptionCount != 2 || result.Events[24].SubscriptionCount != nil {
		t.Errorf("%d events sent, result %+v", n, result.Events)
	}
	s = answers(answer{status: 200, body: "{}"}, answer{status: 503, body: "no"})
	if _, err := client(t, s).TriggerAll(t.Context(), events(25)); !errors.Is(err, backend.ErrServer) || s.count() != 2 {
		t.Errorf("TriggerAll with a failure = %v after %d requests, want ErrServer after 2", err, s.count())
	}
	s = answers()
	bad := events(25)
	bad[24].Name = ""
	_, err = client(t, s).TriggerAll(t.Context(), bad)
	refuses(t, "TriggerAll with a bad event at the end", s, err, backend.ErrInvalidEventName)
}

// Covers 29, 62.
func TestBatchEncryptsWhatIsEncrypted(t *testing.T) {
	s := answers(answer{status: 200, body: "{}"})
	c := client(t, s)
	_, err := c.TriggerBatch(t.Context(), []backend.Event{
		{Channel: "plain", Name: "e", Data: "open"},
		{Channel: "private-encrypted-a", Name: "e", Data: "hidden"},
		{Channel: "private-encrypted-cache-a", Name: "e", Data: "hidden"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Batch []struct{ Channel, Data string }
	}
	if err := json.Unmarshal([]byte(s.last(t).body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Batch[0].Data != "open" {
		t.Errorf("plain data became %q", body.Batch[0].Data)
	}
	for _, e := range body.Batch[1:] {
		if got, err := c.DecryptData(e.Channel, e.Data); err != nil || string(got) != "hidden" {
			t.Errorf("data on %s is %q: %q, %v", e.Channel, e.Data, got, err)
		}
	}
}

// Covers 30, 31, 32.
func TestWhatTheServiceTells(t *testing.T) {
	s := answers(answer{status: 200, body: `{"channels":{"presence-a":{"user_count":0},"b":{"subscription_count":18},"c":{}}}`})
	result, err := client(t, s).TriggerMulti(t.Context(), []string{"presence-a", "b", "c"}, "e", "d", backend.WantInfo(backend.UserCount, backend.SubscriptionCount, backend.UserCount))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.last(t).body, `"info":"user_count,subscription_count"`) {
		t.Errorf("sent %s", s.last(t).body)
	}
	a, b, c := result.Channels["presence-a"], result.Channels["b"], result.Channels["c"]
	if *a.UserCount != 0 || a.SubscriptionCount != nil || *b.SubscriptionCount != 18 || c.UserCount != nil || len(result.Channels) != 3 {
		t.Errorf("result = %+v", result.Channels)
	}
	for _, body := range []string{"{}", `{"ok":true}`} {
		result, err := client(t, answers(answer{status: 200, body: body})).Trigger(t.Context(), "c", "e", "d")
		if err != nil || result.Channels != nil {
			t.Errorf("answer %s: %+v, %v", body, result, err)
		}
	}
	batch, err := client(t, answers(answer{status: 200, body: `{"batch":[{},{"user_count":3}]}`})).TriggerBatch(t.Context(), events(2))
	if err != nil || len(batch.Events) != 2 || batch.Events[0].UserCount != nil || *batch.Events[1].UserCount != 3 {
		t.Errorf("batch = %+v, %v", batch, err)
	}
	if batch, err = client(t, answers(answer{status: 200, body: `{}`})).TriggerBatch(t.Context(), events(2)); err != nil || batch.Events != nil {
		t.Errorf("batch without info = %+v, %v", batch, err)
	}
}

// Covers 33.
func TestSendToUser(t *testing.T) {
	s := answers()
	c := client(t, s)
	for _, id := range []string{"", strings.Repeat("x", 201), "a\nb", "\xff"} {
		refuses(t, fmt.Sprintf("SendToUser(%.20q)", id), s, c.SendToUser(t.Context(), id, "e", "d"), backend.ErrInvalidUserID)
	}
	if err := c.SendToUser(t.Context(), "12345", "alert", "d"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.last(t).body, `"channels":["#server-to-user-12345"]`) {
		t.Errorf("sent %s", s.last(t).body)
	}
}

// Covers 34.
func TestPublishesAreNeverRepeated(t *testing.T) {
	for name, call := range map[string]func(*backend.Client) error{
		"Trigger":      func(c *backend.Client) error { _, err := c.Trigger(t.Context(), "c", "e", "d"); return err },
		"TriggerBatch": func(c *backend.Client) error { _, err := c.TriggerBatch(t.Context(), events(1)); return err },
		"SendToUser":   func(c *backend.Client) error { return c.SendToUser(t.Context(), "7", "e", "d") },
		"Post":         func(c *backend.Client) error { _, err := c.Post(t.Context(), "/x", "{}"); return err },
	} {
		for _, a := range []answer{{status: 503}, {err: errors.New("broken")}} {
			s := answers(a)
			if err := call(client(t, s)); err == nil || s.count() != 1 {
				t.Errorf("%s: %v after %d requests, want an error after one", name, err, s.count())
			}
		}
	}
}

// Covers 35.
func TestAsync(t *testing.T) {
	hold := make(chan struct{})
	c := client(t, nil, func(cfg *backend.Config) {
		inner := answers(answer{status: 200, body: `{"channels":{"c":{"user_count":1}}}`})
		cfg.HTTPClient.Transport = roundTripper(func() { <-hold }, inner)
	})
	pending := c.TriggerAsync(t.Context(), []string{"c"}, "e", "d")
	select {
	case <-pending.Done():
		t.Error("done before the service has answered")
	default:
	}
	batch := c.TriggerBatchAsync(t.Context(), nil)
	if _, err := batch.Wait(t.Context()); !errors.Is(err, backend.ErrBatchSize) {
		t.Errorf("Wait = %v, want ErrBatchSize", err)
	}
	close(hold)
	for range 2 {
		if result, err := pending.Wait(t.Context()); err != nil || *result.Channels["c"].UserCount != 1 {
			t.Errorf("Wait = %+v, %v", result, err)
		}
	}
}

// Triggers are repeated only where that is asked for, and then under one key.
func TestTriggersAreRepeatedUnderOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retrying := func(cfg *backend.Config) { cfg.TriggerRetries, cfg.Timeout = 2, 10*time.Second }
		s := answers(answer{status: 503})
		if _, err := client(t, s).Trigger(t.Context(), "c", "e", "d"); !errors.Is(err, backend.ErrServer) || s.count() != 1 {
			t.Errorf("Trigger = %v after %d requests, want ErrServer after one", err, s.count())
		}
		if key := s.last(t).Header.Get("Idempotency-Key"); key != "" {
			t.Errorf("a trigger that is not repeated has the key %q", key)
		}
		s = answers(answer{status: 503}, answer{status: 409, header: http.Header{"Retry-After": {"1"}}}, answer{status: 200, body: "{}"})
		if _, err := client(t, s, retrying).TriggerBatch(t.Context(), []backend.Event{{Channel: "c", Name: "e", Data: "d"}}); err != nil {
			t.Error(err)
		}
		keys := map[string]int{}
		for _, r := range s.requests {
			keys[r.Header.Get("Idempotency-Key")]++
		}
		if len(keys) != 1 || keys[""] > 0 || len(s.requests) != 3 {
			t.Errorf("keys of the attempts: %v, want one for three", keys)
		}
		s = answers(answer{status: 409})
		if _, err := client(t, s, retrying).Trigger(t.Context(), "c", "e", "d", backend.IdempotencyKey("mine")); !errors.Is(err, backend.ErrConflict) || s.count() != 1 {
			t.Errorf("Trigger = %v after %d requests, want ErrConflict after one", err, s.count())
		}
		if key := s.last(t).Header.Get("Idempotency-Key"); key != "mine" {
			t.Errorf("key = %q, want mine", key)
		}
	})
	s := answers()
	for _, key := range []string{"", strings.Repeat("k", 256), "a\nb", " a", "\xff"} {
		_, err := client(t, s).Trigger(t.Context(), "c", "e", "d", backend.IdempotencyKey(key))
		refuses(t, fmt.Sprintf("Trigger with the key %q", key), s, err, backend.ErrInvalidParameter)
	}
}
