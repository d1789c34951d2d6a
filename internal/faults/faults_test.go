package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A clock is set by the test.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newTable() (*Table, *clock) {
	c := &clock{time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)}
	return New(c.now), c
}

func clientError(e *protocol.Error) trace.Record {
	return trace.Record{App: "1", Kind: trace.ClientError, Code: int(e.Code), Text: e.Message, Channel: "private-x"}
}

// summary is rows in short, such as "client wrong_signature 3".
func summary(rows []Row) (list []string) {
	for _, r := range rows {
		list = append(list, fmt.Sprintf("%s %s %d", r.From, r.Cause, r.Total()))
	}
	return list
}

func TestFaultsAreCountedByCauseAndHour(t *testing.T) {
	table, c := newTable()
	for range 3 {
		table.Trace(clientError(protocol.InvalidSignature("1.2:private-x", "abc")))
		c.at = c.at.Add(time.Hour)
	}
	table.Trace(clientError(protocol.ErrClientEventsDisabled))
	rows := table.Rows("1")
	if got, want := summary(rows), []string{"client wrong_signature 3", "client client_events_disabled 1"}; !slices.Equal(got, want) {
		t.Fatalf("rows: %q, want %q", got, want)
	}
	r := rows[0]
	if got := r.Counts[Hours-4:]; !slices.Equal(got, []uint64{1, 1, 1, 0}) {
		t.Errorf("counts of the last hours: %d, want 1 1 1 0", got)
	}
	if !r.First.Equal(c.at.Add(-3*time.Hour)) || !r.Last.Equal(c.at.Add(-time.Hour)) {
		t.Errorf("first %v, last %v", r.First, r.Last)
	}
	if !strings.Contains(r.Example.Text, "1.2:private-x") || r.Example.Channel != "private-x" {
		t.Errorf("the example is %+v", r.Example)
	}
	if got := table.Rows("2"); got != nil {
		t.Errorf("an app without faults has %v", got)
	}
	c.at = c.at.Add(25 * time.Hour)
	if got := table.Rows("1"); len(got) != 0 {
		t.Errorf("after a day there are still %v", got)
	}
}

// TestEveryRefusalHasACause: each error that clients can be told is told apart, and
// there is advice about each cause.
func TestEveryRefusalHasACause(t *testing.T) {
	for want, list := range map[Cause][]*protocol.Error{
		"wrong_signature":                   {protocol.InvalidSignature("a", "b")},
		"wrong_key":                         {protocol.InvalidKey("k")},
		"auth_format":                       {protocol.InvalidAuth("c"), protocol.ErrSigninFormat},
		"signed_in_as_another":              {protocol.ErrOtherUser},
		"channel_of_another_user":           {protocol.OtherUsersChannel("c")},
		"channel_data":                      {protocol.ErrUserInfo, protocol.InvalidChannelData("x")},
		"user_data":                         {protocol.InvalidUserData("x")},
		"missing_parameter":                 {protocol.ErrMissingEvent},
		"invalid_json":                      {protocol.ErrInvalidJSON},
		"already_subscribed":                {protocol.ExistingSubscription("c")},
		"not_subscribed":                    {protocol.NoSubscription("c")},
		"channel_name":                      {protocol.InvalidChannel("c")},
		"limit_presence_members":            {protocol.ErrPresenceFull},
		"limit_channels_per_connection":     {protocol.ErrTooManyChannels},
		"limit_event_size":                  {protocol.EventDataTooLong(1)},
		"limit_event_name":                  {protocol.EventNameTooLong(1)},
		"limit_client_events":               {protocol.ErrClientEventRate},
		"limit_watchlist":                   {protocol.WatchlistLimit(1)},
		"client_events_disabled":            {protocol.ErrClientEventsDisabled},
		"client_event_on_public_channel":    {protocol.ErrClientEventChannel},
		"client_event_without_subscription": {protocol.NotSubscribed("c")},
		"unknown_event":                     {protocol.UnknownEvent("e")},
		"internal":                          {protocol.ErrInternal},
	} {
		for _, e := range list {
			r := clientError(e)
			n, ok := classify(&r)
			if !ok || n.cause.cause != want {
				t.Errorf("%q is %v, want %s", e.Message, n, want)
			}
			if Advice(n.from, n.cause.cause) == "" {
				t.Errorf("there is no advice about %s", want)
			}
		}
	}
	for want, list := range map[Cause][]*protocol.Error{
		"tls_required": {protocol.ErrTLSOnly}, "unknown_key": {protocol.UnknownApp("x")}, "app_disabled": {protocol.ErrAppDisabled},
		"limit_connections": {protocol.ErrOverQuota}, "path_not_found": {protocol.ErrPathNotFound}, "origin": {protocol.ErrOrigin},
		"protocol_version": {protocol.ErrInvalidVersion, protocol.ErrUnsupportedVersion, protocol.ErrNoVersion}, "over_capacity": {protocol.ErrOverCapacity},
	} {
		for _, e := range list {
			n, ok := classify(&trace.Record{Kind: trace.ConnectionRefused, Code: int(e.Code), Text: e.Message})
			if !ok || n.cause.cause != want || Advice(n.from, n.cause.cause) == "" {
				t.Errorf("%q is %v, want %s with advice", e.Message, n, want)
			}
		}
	}
	if _, ok := classify(&trace.Record{Kind: trace.ConnectionRefused, Code: int(protocol.CloseReconnect)}); ok {
		t.Error("a node that stops is taken for a fault")
	}
}

func TestRequestsOfBackendsAreToldApart(t *testing.T) {
	for text, want := range map[string]Cause{
		"401 Unknown auth_key": "unknown_key",
		`401 Invalid signature: you should have sent HmacSHA256Hex("GET\n/apps/1", your_secret_key), but you sent "x"`: "wrong_signature",
		"401 Timestamp expired: Given timestamp (x) not within 600s":                                                   "clock",
		"401 Version required":                            "auth_parameters",
		`401 Invalid body_md5: the body received has "x"`: "body_hash",
		"400 Invalid channel name: x":                     "bad_request",
		"413 The data content of this event exceeds the allowed maximum (10240 bytes). See more": "limit_event_size",
		"413 The request body exceeds the allowed maximum (5 bytes)":                             "body_size",
		"413 Too much":              "too_large",
		"429 Too many events":       "rate_limit",
		"503 Overloaded, try again": "overloaded",
		"403 App disabled":          "app_disabled",
	} {
		var code int
		_, err := fmt.Sscanf(text, "%d", &code)
		if err != nil {
			t.Fatal(err)
		}
		n, ok := classify(&trace.Record{Kind: trace.APIError, Code: code, Text: "POST /apps/1/events: " + text[4:]})
		if !ok || n.from != Backend || n.cause.cause != want || Advice(Backend, want) == "" {
			t.Errorf("%q is %v, want %s with advice", text, n, want)
		}
	}
}

// TestWebhookToAPrivateAddressIsToldApart from endpoints that answer otherwise.
func TestWebhookToAPrivateAddressIsToldApart(t *testing.T) {
	for text, want := range map[string]Cause{
		"POST to 10.0.0.1: attempt 1, 1 events, 2ms: 10.0.0.1: address is not public and not among the allowed networks": "private_address",
		"POST to shop.example: attempt 1, 1 events, 2ms: status 500":                                                     "not_delivered",
	} {
		if n, ok := classify(&trace.Record{Kind: trace.WebhookFailed, Text: text}); !ok || n.cause.cause != want || Advice(Webhook, want) == "" {
			t.Errorf("%q is %v, want %s with advice", text, n, want)
		}
	}
}

func TestClosedClientsAreFaultsWhenTheServiceHasClosedThem(t *testing.T) {
	for want, r := range map[Cause]trace.Record{
		"message_too_large": {Kind: trace.Disconnected, Code: 1009, Ending: &trace.Ending{By: trace.ByService}},
		"no_pong":           {Kind: trace.Disconnected, Code: 4201, Ending: &trace.Ending{By: trace.ByService}},
		"too_slow":          {Kind: trace.SlowClosed, Code: 4100, Ending: &trace.Ending{By: trace.ByService, Slow: true}},
	} {
		if n, ok := classify(&r); !ok || n.cause.cause != want || Advice(Client, want) == "" {
			t.Errorf("%+v is %v, want %s with advice", r, n, want)
		}
	}
	for _, r := range []trace.Record{
		{Kind: trace.Disconnected, Code: 1001, Ending: &trace.Ending{By: trace.ByClient}},
		{Kind: trace.Disconnected, Code: 1009, Ending: &trace.Ending{By: trace.ByClient}},
		{Kind: trace.Disconnected, Code: 4100, Ending: &trace.Ending{By: trace.ByService, Slow: true}}, // told as SlowClosed
		{Kind: trace.Disconnected, Code: 4200, Ending: &trace.Ending{By: trace.ByService}},
	} {
		if n, ok := classify(&r); ok {
			t.Errorf("%+v is taken for the fault %v", r, n)
		}
	}
}

// TestStrangersCanNotMakeRows: what an unsigned message says is told apart a few
// times, and all of it is counted.
func TestStrangersCanNotMakeRows(t *testing.T) {
	table, _ := newTable()
	const many = 10_000
	for i := range many {
		r := trace.Record{App: "1", Kind: trace.ConnectionRefused, Code: 4009, Client: &trace.Client{Origin: fmt.Sprint("https://made-up-", i, ".example")}}
		table.Trace(r)
		table.Trace(clientError(protocol.UnknownEvent(fmt.Sprint("made up ", i))))
	}
	table.Trace(clientError(protocol.ErrInvalidJSON)) // has a row of its own nevertheless
	rows := table.Rows("1")
	var total uint64
	for _, r := range rows {
		total += r.Total()
	}
	if len(rows) > maxDetails+3 || total != 2*many+1 {
		t.Errorf("%d rows with %d faults, want at most %d with %d", len(rows), total, maxDetails+3, 2*many+1)
	}
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Cause == "invalid_json" }) {
		t.Errorf("an honest row is missing: %q", summary(rows))
	}
}

func TestAllAppsTogetherAreBounded(t *testing.T) {
	table, c := newTable()
	long := strings.Repeat("x", 900)
	for i := range 2 * MaxBytes / (rowCost + 900) / 10 {
		for j := range 10 {
			r := trace.Record{App: fmt.Sprint(i), Kind: trace.APIError, Code: 400, Text: "POST /x: bad " + string(rune('a'+j)) + ": " + long}
			table.Trace(r)
		}
	}
	if table.bytes > MaxBytes {
		t.Errorf("%d bytes are kept, want at most %d", table.bytes, MaxBytes)
	}
	last := fmt.Sprint(2*MaxBytes/(rowCost+900)/10 - 1)
	var total uint64
	for _, r := range table.Rows(last) {
		total += r.Total()
	}
	if total != 10 {
		t.Errorf("%d faults of the last app are counted, want 10", total)
	}
	for i := range 2 * MaxBytes / (rowCost + 900) / 10 {
		table.Forget(fmt.Sprint(i))
	}
	if table.bytes != 0 {
		t.Errorf("%d bytes are kept of apps that are gone", table.bytes)
	}
	// Rows that are old make room.
	for i := range 300 {
		table.Trace(trace.Record{App: "1", Kind: trace.APIError, Code: 400 + i, Text: fmt.Sprint("GET /: text ", string(rune('a'+i%26)))})
	}
	c.at = c.at.Add(48 * time.Hour)
	table.Trace(clientError(protocol.ErrInvalidJSON))
	if got := summary(table.Rows("1")); !slices.Equal(got, []string{"client invalid_json 1"}) {
		t.Errorf("two days later the rows are %q", got)
	}
}

func TestRowsOfNodesAddUp(t *testing.T) {
	a, ca := newTable()
	b, cb := newTable()
	cb.at = ca.at.Add(2 * time.Hour)
	a.Trace(clientError(protocol.ErrInvalidJSON))
	b.Trace(clientError(protocol.ErrInvalidJSON))
	b.Trace(clientError(protocol.ErrInvalidJSON))
	x, y := a.Rows("1")[0], b.Rows("1")[0]
	x.Add(&y)
	if got := x.Counts[Hours-3:]; !slices.Equal(got, []uint64{1, 0, 2}) {
		t.Errorf("counts %d, want 1 0 2", got)
	}
	if !x.First.Equal(ca.at) || !x.Last.Equal(cb.at) || !x.Example.At.Equal(cb.at) {
		t.Errorf("the sum is %+v", x)
	}
}

// TestAdviceNamesWhatThereIs: settings that advice mentions exist.
func TestAdviceNamesWhatThereIs(t *testing.T) {
	for of, text := range advice {
		for _, name := range regexp.MustCompile(`limits\.[a-z_]+`).FindAllString(text, -1) {
			if !slices.ContainsFunc(apps.Settings, func(s setting.Setting[apps.App]) bool { return s.Name == name }) {
				t.Errorf("%v: there is no setting %s", of, name)
			}
		}
	}
}

func BenchmarkTrace(b *testing.B) {
	table := New(nil)
	r := clientError(protocol.InvalidSignature("1.2:private-x", "abc"))
	for b.Loop() {
		table.Trace(r)
	}
}
