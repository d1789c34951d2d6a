package backend_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/backend"
)

// Covers 44, 48.
func TestTokensOfTheVectors(t *testing.T) {
	c := client(t, answers())
	const socket = "1234.1234"
	channelAuth := func(a *backend.ChannelAuth, err error) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a.Auth, a.ChannelData
	}
	userAuth := func(a *backend.UserAuth, err error) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a.Auth, a.UserData
	}
	type info = map[string]string
	for name, test := range map[string]struct {
		token     func() (auth, data string)
		signature string
		data      string
	}{
		"T1": {func() (string, string) { return channelAuth(c.AuthorizeChannel(socket, "private-foobar", nil)) },
			"58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4", ""},
		"T2": {func() (string, string) {
			return channelAuth(c.AuthorizeChannelData(socket, "presence-foobar", `{"user_id":10,"user_info":{"name":"Mr. Channels"}}`))
		}, "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80", `{"user_id":10,"user_info":{"name":"Mr. Channels"}}`},
		"T2x": {func() (string, string) {
			return channelAuth(c.AuthorizeChannelData(socket, "presence-foobar", `{"user_id":10,"user_info":{"name":"Mr. Pusher"}}`))
		}, "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c", `{"user_id":10,"user_info":{"name":"Mr. Pusher"}}`},
		"T3": {func() (string, string) {
			return channelAuth(c.AuthorizeChannel(socket, "presence-foobar", &backend.Member{UserID: "10", UserInfo: info{"name": "Mr. Pusher"}}))
		}, "48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4", `{"user_id":"10","user_info":{"name":"Mr. Pusher"}}`},
		"T4": {func() (string, string) {
			return channelAuth(c.AuthorizePresenceChannel(socket, "presence-foobar", backend.Member{UserID: "12345"}))
		}, "62e24d5d930e1891dbeab823842695c3a4fdccc44c13c17a5c5714a2801fb27b", `{"user_id":"12345"}`},
		"T5": {func() (string, string) {
			return channelAuth(c.AuthorizeChannel(socket, "presence-foobar", &backend.Member{UserID: "12345", UserInfo: info{"name": "Zoë"}}))
		}, "38e9b6a5ae191560697346c84fb59b835f8582de5d6a3762b0a1665ae8d51cd3", `{"user_id":"12345","user_info":{"name":"Zoë"}}`},
		"T5e": {func() (string, string) {
			return channelAuth(c.AuthorizeChannelData(socket, "presence-foobar", `{"user_id":"12345","user_info":{"name":"Zo\u00eb"}}`))
		}, "f39ef07bf9d1d7765ed2f08af611ba6f8a51459b6fa6c0dd571b56f84db6695f", `{"user_id":"12345","user_info":{"name":"Zo\u00eb"}}`},
		"T6": {func() (string, string) {
			return channelAuth(c.AuthorizePrivateChannel(socket, "private-encrypted-foobar"))
		},
			"e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533", ""},
		"T7": {func() (string, string) { return userAuth(c.AuthenticateUser(socket, backend.UserData{ID: "12345"})) },
			"4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba", `{"id":"12345"}`},
		"T8": {func() (string, string) {
			return userAuth(c.AuthenticateUser(socket, backend.UserData{ID: "12345", UserInfo: info{"name": "Ada"}, Watchlist: []string{"67", "89"}}))
		}, "6ca80c154c719885dfec98578ec04007b6b4b221f61821ba13548203ddaeda48", `{"id":"12345","user_info":{"name":"Ada"},"watchlist":["67","89"]}`},
	} {
		auth, data := test.token()
		if auth != testKey+":"+test.signature || data != test.data {
			t.Errorf("%s: auth %s, data %s; want signature %s, data %s", name, auth, data, test.signature, test.data)
		}
	}
}

// Covers 45, 46, 47.
func TestWhatIsNotSigned(t *testing.T) {
	c := client(t, answers())
	bob := &backend.Member{UserID: "bob"}
	for name, test := range map[string]struct {
		socket, channel string
		member          *backend.Member
		want            error
	}{
		"public channel":             {"1.2", "news", nil, backend.ErrPublicChannel},
		"public cache channel":       {"1.2", "cache-news", nil, backend.ErrPublicChannel},
		"presence without member":    {"1.2", "presence-x", nil, backend.ErrMemberRequired},
		"member on private":          {"1.2", "private-x", bob, backend.ErrInvalidChannel},
		"member on encrypted":        {"1.2", "private-encrypted-x", bob, backend.ErrInvalidChannel},
		"empty socket":               {"", "private-x", nil, backend.ErrInvalidSocketID},
		"socket with a line feed":    {"1.2\n", "private-x", nil, backend.ErrInvalidSocketID},
		"socket with a colon":        {"1.2:private-y", "private-x", nil, backend.ErrInvalidSocketID},
		"sign-in as a channel":       {"1.1", `:user::{"id":"admin"}`, nil, backend.ErrInvalidChannel},
		"member data in the channel": {"1.1", `presence-x:{"user_id":"admin"}`, bob, backend.ErrInvalidChannel},
		"other member's data":        {"1.1", `private-x:{"user_id":"admin"}`, nil, backend.ErrInvalidChannel},
		"channel of a user":          {"1.1", "#server-to-user-7", nil, backend.ErrInvalidChannel},
	} {
		if auth, err := c.AuthorizeChannel(test.socket, test.channel, test.member); !errors.Is(err, test.want) || auth != nil {
			t.Errorf("%s: AuthorizeChannel = %+v, %v; want %v", name, auth, err, test.want)
		}
	}
	if _, err := c.AuthorizePrivateChannel("1.2", "presence-x"); !errors.Is(err, backend.ErrMemberRequired) {
		t.Errorf("AuthorizePrivateChannel(presence-x) = %v", err)
	}
	if _, err := c.AuthorizePresenceChannel("1.2", "private-x", *bob); !errors.Is(err, backend.ErrInvalidChannel) {
		t.Errorf("AuthorizePresenceChannel(private-x) = %v", err)
	}
	if _, err := c.AuthorizeSignedIn("1.2", "private-x"); !errors.Is(err, backend.ErrInvalidChannel) {
		t.Errorf("AuthorizeSignedIn(private-x) = %v", err)
	}
	for _, data := range []string{"", "x", "{}", `{"user_id":""}`, `{"user_id":1.5}`} {
		if _, err := c.AuthorizeChannelData("1.2", "presence-x", data); !errors.Is(err, backend.ErrMemberRequired) {
			t.Errorf("AuthorizeChannelData(%q) = %v, want ErrMemberRequired", data, err)
		}
	}
}

func TestSignedInConnectionNeedsNoMember(t *testing.T) {
	auth, err := client(t, answers()).AuthorizeSignedIn("1234.1234", "presence-foobar")
	if err != nil || auth.Auth != testKey+":71506e66e7fdca106571b8999a849ad34245bc653772e51e0026c1a2475b92ba" || auth.ChannelData != "" {
		t.Errorf("AuthorizeSignedIn = %+v, %v", auth, err)
	}
	same, err := client(t, answers()).AuthorizeChannel("1234.1234", "presence-foobar", &backend.Member{SignedIn: true})
	if err != nil || *same != *auth {
		t.Errorf("AuthorizeChannel as who is signed in = %+v, %v", same, err)
	}
	if _, err := client(t, answers()).AuthorizeChannel("1234.1234", "presence-foobar", &backend.Member{SignedIn: true, UserID: "ann"}); !errors.Is(err, backend.ErrInvalidUserID) {
		t.Errorf("AuthorizeChannel as two = %v", err)
	}
}

// Covers 49, 50.
func TestWhoCanNotBe(t *testing.T) {
	c := client(t, answers())
	for name, test := range map[string]struct {
		member backend.Member
		want   error
	}{
		"no id":         {backend.Member{}, backend.ErrInvalidUserID},
		"long id":       {backend.Member{UserID: strings.Repeat("é", 129)}, backend.ErrInvalidUserID},
		"id not UTF-8":  {backend.Member{UserID: "\xff"}, backend.ErrInvalidUserID},
		"big info":      {backend.Member{UserID: "1", UserInfo: strings.Repeat("x", 1023)}, backend.ErrDataTooLarge},
		"info not JSON": {backend.Member{UserID: "1", UserInfo: func() {}}, backend.ErrInvalidData},
	} {
		if _, err := c.AuthorizeChannel("1.2", "presence-x", &test.member); !errors.Is(err, test.want) {
			t.Errorf("%s: AuthorizeChannel = %v, want %v", name, err, test.want)
		}
	}
	most := backend.Member{UserID: strings.Repeat("é", 128), UserInfo: strings.Repeat("x", 1022)}
	if _, err := c.AuthorizeChannel("1.2", "presence-x", &most); err != nil {
		t.Errorf("AuthorizeChannel of what just fits = %v", err)
	}
	for name, test := range map[string]struct {
		user backend.UserData
		want error
	}{
		"no id":           {backend.UserData{}, backend.ErrInvalidUserID},
		"control":         {backend.UserData{ID: "a\tb"}, backend.ErrInvalidUserID},
		"long id":         {backend.UserData{ID: strings.Repeat("é", 201)}, backend.ErrInvalidUserID},
		"long watchlist":  {backend.UserData{ID: "1", Watchlist: names(101)}, backend.ErrDataTooLarge},
		"id in extra":     {backend.UserData{ID: "1", Extra: map[string]any{"id": 2}}, backend.ErrInvalidParameter},
		"extra not JSON":  {backend.UserData{ID: "1", Extra: map[string]any{"f": func() {}}}, backend.ErrInvalidData},
		"socket not here": {backend.UserData{ID: "1"}, nil},
	} {
		if _, err := c.AuthenticateUser("1.2", test.user); !errors.Is(err, test.want) {
			t.Errorf("%s: AuthenticateUser = %v, want %v", name, err, test.want)
		}
	}
	for _, data := range []string{"", "[]", "{}", `{"id":""}`, `{"id":7}`, `{"id":null}`, `{"id":"1","watchlist":[1]}`} {
		if _, err := c.AuthenticateUserData("1.2", data); !errors.Is(err, backend.ErrInvalidUserID) {
			t.Errorf("AuthenticateUserData(%q) = %v, want ErrInvalidUserID", data, err)
		}
	}
	if _, err := c.AuthenticateUser("x", backend.UserData{ID: "1"}); !errors.Is(err, backend.ErrInvalidSocketID) {
		t.Errorf("AuthenticateUser with a bad socket = %v", err)
	}
	auth, err := c.AuthenticateUser("1.2", backend.UserData{ID: "1", Watchlist: names(100), Extra: map[string]any{"b": 1, "a": "<"}})
	if err != nil || !strings.HasSuffix(auth.UserData, `,"a":"<","b":1}`) {
		t.Errorf("AuthenticateUser = %+v, %v", auth, err)
	}
}

// Covers 51, 52.
func TestJSONOfTokens(t *testing.T) {
	c := client(t, answers())
	for channel, want := range map[string]string{
		"private-foobar":           `{"auth":"` + testKey + `:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"}`,
		"private-encrypted-foobar": `{"auth":"` + testKey + `:e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533","shared_secret":"g3Au6SZ+UCU+IMfFsFva0rq+Gi4tzSHR6WCcWZbS9sY="}`,
	} {
		auth, err := c.AuthorizeChannel("1234.1234", channel, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := json.Marshal(auth); string(text) != want {
			t.Errorf("%s: %s, want %s", channel, text, want)
		}
	}
	without := client(t, answers(), func(cfg *backend.Config) { cfg.EncryptionMasterKeyBase64 = "" })
	if auth, err := without.AuthorizeChannel("1.2", "private-encrypted-x", nil); !errors.Is(err, backend.ErrMasterKey) || auth != nil {
		t.Errorf("AuthorizeChannel without a key = %+v, %v; want ErrMasterKey", auth, err)
	}
}

func TestNames(t *testing.T) {
	for name, test := range map[string]struct{ got, want bool }{
		"channel":          {backend.ValidChannelName("presence-a@b,c.d;e=f_1"), true},
		"long channel":     {backend.ValidChannelName(strings.Repeat("x", 201)), false},
		"user's channel":   {backend.ValidChannelName(backend.UserChannel("7")), false},
		"user":             {backend.ValidUserID("a@b.c"), true},
		"private":          {backend.IsPrivate("private-encrypted-x") && backend.IsPrivate("presence-x") && !backend.IsPrivate("privatex"), true},
		"presence":         {backend.IsPresence("presence-cache-x") && !backend.IsPresence("private-presence-x"), true},
		"encrypted":        {backend.IsEncrypted("private-encrypted-cache-x") && !backend.IsEncrypted("encrypted-x"), true},
		"cache":            {backend.IsCache("cache-x") && backend.IsCache("private-cache-x") && backend.IsCache("presence-cache-x") && !backend.IsCache("x-cache-y"), true},
		"socket":           {backend.ValidSocketID("1.2"), true},
		"socket in Arabic": {backend.ValidSocketID("١.٢"), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: %t, want %t", name, test.got, test.want)
		}
	}
}
