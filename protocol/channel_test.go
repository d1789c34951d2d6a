package protocol_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

func TestKindOf(t *testing.T) {
	tests := map[string]protocol.Kind{
		"news":                         protocol.Public,
		"":                             protocol.Public,
		"cache-prices":                 protocol.Cache,
		"private-a":                    protocol.Private,
		"private-cache-a":              protocol.PrivateCache,
		"private-encrypted-a":          protocol.Encrypted,
		"private-encrypted-cache-a":    protocol.EncryptedCache,
		"presence-a":                   protocol.Presence,
		"presence-cache-a":             protocol.PresenceCache,
		"#server-to-user-16":           protocol.User,
		"#server-to-user-":             protocol.User,
		"private-":                     protocol.Private,
		"presence-":                    protocol.Presence,
		"cache-":                       protocol.Cache,
		"private-encrypted-":           protocol.Encrypted,
		"private-encrypted":            protocol.Private,
		"private-encrypted-cache":      protocol.Encrypted,
		"private-cachet":               protocol.Private,
		"presence-encrypted-x":         protocol.Presence,
		"private-presence-x":           protocol.Private,
		"cache-private-x":              protocol.Cache,
		"x-private-y":                  protocol.Public,
		"my-cache-1":                   protocol.Public,
		"privateer":                    protocol.Public,
		"presence":                     protocol.Public,
		"cachet":                       protocol.Public,
		"private":                      protocol.Public,
		"Private-x":                    protocol.Public,
		"PRESENCE-x":                   protocol.Public,
		" private-x":                   protocol.Public,
		"x#server-to-user-16":          protocol.Public,
		"#Server-to-user-16":           protocol.Public,
		"private-x\nprivate-encrypted": protocol.Private,
	}
	for channel, want := range tests {
		if got := protocol.KindOf(channel); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", channel, got, want)
		}
	}
}

func TestWhatFollowsFromTheKind(t *testing.T) {
	type properties struct {
		name                                              string
		private, presence, cache, encrypted, clientEvents bool
	}
	tests := map[protocol.Kind]properties{
		protocol.Public:         {name: "public"},
		protocol.Cache:          {name: "cache", cache: true},
		protocol.Private:        {name: "private", private: true, clientEvents: true},
		protocol.PrivateCache:   {name: "private-cache", private: true, cache: true, clientEvents: true},
		protocol.Encrypted:      {name: "private-encrypted", private: true, encrypted: true, clientEvents: true},
		protocol.EncryptedCache: {name: "private-encrypted-cache", private: true, cache: true, encrypted: true, clientEvents: true},
		protocol.Presence:       {name: "presence", private: true, presence: true, clientEvents: true},
		protocol.PresenceCache:  {name: "presence-cache", private: true, presence: true, cache: true, clientEvents: true},
		protocol.User:           {name: "user"},
		protocol.Kind(255):      {name: "unknown", private: true, presence: true, cache: true, encrypted: true, clientEvents: true},
	}
	if len(tests) != 10 {
		t.Fatalf("%d kinds differ, want 10", len(tests))
	}
	for k, want := range tests {
		got := properties{k.String(), k.Private(), k.Presence(), k.Cache(), k.Encrypted(), k.ClientEvents()}
		if got != want {
			t.Errorf("properties of %v = %+v, want %+v", k, got, want)
		}
	}
}

func TestCheckChannel(t *testing.T) {
	long := strings.Repeat("a", 200)
	tests := map[string]struct {
		name  string
		limit int
		want  error
	}{
		"every character":        {"ABCXYZabcxyz0189_-=@,.;", 200, nil},
		"one character":          {"a", 200, nil},
		"bare prefix":            {"private-", 200, nil},
		"at the limit":           {long, 200, nil},
		"above the limit":        {long + "a", 200, protocol.ErrChannelTooLong},
		"small limit":            {"abcd", 3, protocol.ErrChannelTooLong},
		"no limit":               {strings.Repeat(long, 100), 0, nil},
		"empty":                  {"", 200, protocol.ErrChannelName},
		"empty, no limit":        {"", 0, protocol.ErrChannelName},
		"space":                  {"a b", 200, protocol.ErrChannelName},
		"colon":                  {"private-a:b", 200, protocol.ErrChannelName},
		"slash":                  {"a/b", 200, protocol.ErrChannelName},
		"trailing newline":       {"news\n", 200, protocol.ErrChannelName},
		"NUL":                    {"a\x00", 200, protocol.ErrChannelName},
		"letter beyond ASCII":    {"né", 200, protocol.ErrChannelName},
		"full-width digit":       {"a１", 200, protocol.ErrChannelName},
		"hash":                   {"#a", 200, protocol.ErrChannelName},
		"hash inside":            {"a#b", 200, protocol.ErrChannelName},
		"user channel":           {"#server-to-user-16", 200, protocol.ErrChannelName},
		"user channel, no limit": {"#server-to-user-16", 0, protocol.ErrChannelName},
		"both wrong and long":    {long + " ", 200, protocol.ErrChannelName},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := protocol.CheckChannel(test.name, test.limit); !errors.Is(got, test.want) {
				t.Errorf("CheckChannel(%q, %d) = %v, want %v", test.name, test.limit, got, test.want)
			}
		})
	}
}

func TestUserChannels(t *testing.T) {
	if got, want := protocol.UserChannel("16"), "#server-to-user-16"; got != want {
		t.Errorf("UserChannel(16) = %q, want %q", got, want)
	}
	tests := map[string]struct {
		id string
		ok bool
	}{
		"#server-to-user-16":                 {"16", true},
		"#server-to-user-a b:ą#":             {"a b:ą#", true},
		"#server-to-user-#server-to-user-16": {"#server-to-user-16", true},
		"#server-to-user-":                   {"", false},
		"#server-to-user":                    {"", false},
		"server-to-user-16":                  {"", false},
		"#Server-to-user-16":                 {"", false},
		" #server-to-user-16":                {"", false},
		"":                                   {"", false},
	}
	for channel, want := range tests {
		id, ok := protocol.UserOf(channel)
		if ok != want.ok || ok && id != want.id {
			t.Errorf("UserOf(%q) = %q, %t, want %q, %t", channel, id, ok, want.id, want.ok)
		}
	}
}

var channelPattern = regexp.MustCompile(`\A[-a-zA-Z0-9_=@,.;]+\z`)

func FuzzCheckChannel(f *testing.F) {
	for _, seed := range []string{"news", "private-encrypted-cache-x", "presence-cache-", "#server-to-user-1", "a\n", "é", "\xff"} {
		f.Add(seed, 200)
	}
	f.Fuzz(func(t *testing.T, name string, limit int) {
		var want error
		switch {
		case !channelPattern.MatchString(name):
			want = protocol.ErrChannelName
		case limit > 0 && len(name) > limit:
			want = protocol.ErrChannelTooLong
		}
		if got := protocol.CheckChannel(name, limit); !errors.Is(got, want) {
			t.Fatalf("CheckChannel(%q, %d) = %v, want %v", name, limit, got, want)
		}
		id, ok := protocol.UserOf(name)
		if ok && protocol.UserChannel(id) != name {
			t.Fatalf("UserChannel(UserOf(%q)) = %q", name, protocol.UserChannel(id))
		}
	})
}

// kindPattern says in one expression, another way than the code, what the
// start of a name means.
var kindPattern = regexp.MustCompile(`\A(?:(private-encrypted|private|presence)-)?(?:(cache)-)?`)

func FuzzKindOf(f *testing.F) {
	for _, seed := range []string{"news", "private-", "private-encrypted-cache-x", "presence-cache-x", "cache-x", "#server-to-user-1", "private-encrypted"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := strings.Trim(strings.Join(kindPattern.FindStringSubmatch(name)[1:], "-"), "-")
		switch {
		case strings.HasPrefix(name, "#server-to-user-"):
			want = "user"
		case want == "":
			want = "public"
		}
		if got := protocol.KindOf(name).String(); got != want {
			t.Fatalf("KindOf(%q) = %s, want %s", name, got, want)
		}
	})
}
