package apps

import (
	"strings"
	"testing"
)

func TestOriginAllowed(t *testing.T) {
	tests := map[string]struct {
		patterns []string
		host     string // or the whole Origin header
		want     bool
	}{
		"no list":                          {nil, "evil.test", true},
		"no list and no origin":            {nil, "", true},
		"star":                             {[]string{"*"}, "evil.test", true},
		"star and no origin":               {[]string{"*"}, "", true},
		"star among others":                {[]string{"a.test", "*"}, "", true},
		"a list and no origin":             {[]string{"a.test"}, "", false},
		"two stars are a list":             {[]string{"**"}, "", false},
		"two stars match any host":         {[]string{"**"}, "a.test", true},
		"the very host":                    {[]string{"a.test"}, "a.test", true},
		"another host":                     {[]string{"a.test"}, "b.test", false},
		"second of the list":               {[]string{"a.test", "b.test"}, "b.test", true},
		"upper case in the header":         {[]string{"a.test"}, "A.TEST", true},
		"upper case in the pattern":        {[]string{"A.Test"}, "a.test", true},
		"subdomain":                        {[]string{"*.a.test"}, "x.a.test", true},
		"subdomain of a subdomain":         {[]string{"*.a.test"}, "x.y.a.test", true},
		"the domain is no subdomain":       {[]string{"*.a.test"}, "a.test", false},
		"a host that ends alike":           {[]string{"*.a.test"}, "xa.test", false},
		"the pattern is the whole host":    {[]string{"a.test"}, "a.test.evil.test", false},
		"a prefix is not enough":           {[]string{"a.test"}, "evil-a.test", false},
		"star at the end":                  {[]string{"a.*"}, "a.test", true},
		"star in the middle":               {[]string{"a.*.test"}, "a.b.c.test", true},
		"star in the middle needs both":    {[]string{"a.*.test"}, "a.b.c.rest", false},
		"star stands for nothing":          {[]string{"a*.test"}, "a.test", true},
		"head and tail must not overlap":   {[]string{"ab*ba"}, "aba", false},
		"parts in order":                   {[]string{"*a*b*"}, "xaxbx", true},
		"parts in the wrong order":         {[]string{"*a*b*"}, "xbxax", false},
		"the last part is at the very end": {[]string{"*ab"}, "abxab", true},
		"IPv6":                             {[]string{"::1"}, "http://[::1]:3000", true},
		"no origin is among the list":      {[]string{"a.test", NoOrigin}, "", true},
		"a page beside no origin":          {[]string{"a.test", NoOrigin}, "a.test", true},
		"another page beside no origin":    {[]string{"a.test", NoOrigin}, "b.test", false},
		"a page that hides where it is":    {[]string{"a.test", NoOrigin}, "null", false},
		"a page of a file":                 {[]string{"a.test", NoOrigin}, "file://", false},
		"an origin that is none":           {[]string{"a.test", NoOrigin}, "http://%zz", false},
		"a host that is called no-origin":  {[]string{"a.test", NoOrigin}, "no-origin", false},
	}
	for name, tt := range tests {
		a := &App{AllowedOrigins: tt.patterns}
		origin := tt.host
		if origin != "" && origin != "null" && !strings.Contains(origin, "://") {
			origin = "https://" + origin + ":8443"
		}
		if got := a.OriginAllowed(origin); got != tt.want {
			t.Errorf("%s: OriginAllowed(%q) with %q = %t, want %t", name, origin, tt.patterns, got, tt.want)
		}
	}
}

func TestSecretIsThatOfTheKey(t *testing.T) {
	a := &App{Keys: []Key{{Key: "old", Secret: "s1"}, {Key: "new", Secret: "s2"}}}
	tests := map[string]struct {
		secret string
		ok     bool
	}{"old": {"s1", true}, "new": {"s2", true}, "": {"", false}, "other": {"", false}, "s1": {"", false}}
	for key, want := range tests {
		if secret, ok := a.Secret(key); secret != want.secret || ok != want.ok {
			t.Errorf("Secret(%q) = %q, %t, want %q, %t", key, secret, ok, want.secret, want.ok)
		}
	}
	if _, ok := (&App{}).Secret(""); ok {
		t.Error("Secret(\"\") of an app without keys is ok, want not")
	}
}

// The limits are promises about the hosted service, so a change of one must be
// meant.
func TestDefaultLimits(t *testing.T) {
	want := Limits{
		ChannelsPerConnection: 10_000,
		ClientEventsPerSecond: 10, ChannelNameLength: 200, EventNameLength: 200, EventData: 10240,
		ChannelsPerEvent: 100, EventsPerBatch: 10, PresenceMembers: 100, PresenceUserID: 128,
		PresenceUserInfo: 1024, Watchlist: 100, PushDevices: 1_000_000, PushPublishesPerSecond: 100, CacheTTL: 1800e9,
	}
	if got := DefaultLimits(); got != want {
		t.Errorf("DefaultLimits() = %+v, want %+v", got, want)
	}
	if got := Unlimited(); got != (Limits{CacheTTL: 1800e9}) {
		t.Errorf("Unlimited() = %+v, want no limit", got)
	}
}

// A browser says xn--bcher-kva.example of a page of bücher.example.
func TestAllowedOriginsBeyondASCII(t *testing.T) {
	a := New()
	if err := a.Set([]byte(`{"allowed_origins":["Bücher.example","*.bücher.example","no-origin"]}`), nil); err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"https://xn--bcher-kva.example": true, "https://www.xn--bcher-kva.example:8443": true, "": true, "https://bucher.example": false,
	} {
		if got := a.OriginAllowed(origin); got != want {
			t.Errorf("OriginAllowed(%q) = %t, want %t", origin, got, want)
		}
	}
}
