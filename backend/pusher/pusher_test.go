package pusher_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	reference "github.com/pusher/pusher-http-go/v5"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/backend/pusher"
)

const (
	testKey    = "278d425bdf160c739803"
	testSecret = "7ad3773142a6692b25b8"
	testMaster = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// TestEveryNameOfPusherHTTPGoIsHere compares the methods of the two clients,
// and the fields of every type in their signatures.
func TestEveryNameOfPusherHTTPGoIsHere(t *testing.T) {
	theirs, ours := reflect.TypeFor[*reference.Client](), reflect.TypeFor[*pusher.Client]()
	seen := map[reflect.Type]bool{}
	for i := range theirs.NumMethod() {
		want := theirs.Method(i)
		got, ok := ours.MethodByName(want.Name)
		if !ok {
			t.Errorf("there is no method %s", want.Name)
			continue
		}
		if got.Type.NumIn() != want.Type.NumIn() || got.Type.NumOut() != want.Type.NumOut() {
			t.Errorf("%s is %v, want %v", want.Name, got.Type, want.Type)
			continue
		}
		for n := range want.Type.NumIn() {
			compareTypes(t, seen, want.Name, got.Type.In(n), want.Type.In(n))
		}
		for n := range want.Type.NumOut() {
			compareTypes(t, seen, want.Name, got.Type.Out(n), want.Type.Out(n))
		}
	}
	compareTypes(t, seen, "ClientFromURL", reflect.TypeOf(pusher.ClientFromURL).Out(0), reflect.TypeOf(reference.ClientFromURL).Out(0))
	compareTypes(t, seen, "ClientFromEnv", reflect.TypeOf(pusher.ClientFromEnv).Out(0), reflect.TypeOf(reference.ClientFromEnv).Out(0))
}

// compareTypes checks that a type looks like another to a program that uses
// it: the same name and the same exported fields, all the way down.
func compareTypes(t *testing.T, seen map[reflect.Type]bool, where string, got, want reflect.Type) {
	t.Helper()
	if got == want || seen[want] {
		return
	}
	seen[want] = true
	if got.Kind() != want.Kind() || got.Name() != want.Name() {
		t.Errorf("%s: %v, want %v", where, got, want)
		return
	}
	switch want.Kind() {
	case reflect.Pointer, reflect.Slice:
		compareTypes(t, seen, where, got.Elem(), want.Elem())
	case reflect.Map:
		compareTypes(t, seen, where, got.Key(), want.Key())
		compareTypes(t, seen, where, got.Elem(), want.Elem())
	case reflect.Struct:
		for i := range want.NumField() {
			f := want.Field(i)
			if !f.IsExported() {
				continue
			}
			own, ok := got.FieldByName(f.Name)
			if !ok {
				t.Errorf("%s: %v has no field %s", where, got, f.Name)
				continue
			}
			compareTypes(t, seen, where+"."+f.Name, own.Type, f.Type)
		}
	default:
		t.Errorf("%s: %v, want %v", where, got, want)
	}
}

// A service answers every request with the same text and keeps the request.
type service struct {
	reply   string
	status  int
	request *http.Request
	body    string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.request = r
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		s.body = string(text)
	}
	status := s.status
	if status == 0 {
		status = 200
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.reply)), Request: r}, nil
}

// both are the same app in both libraries, on the same service.
func both(t testing.TB, s *service) (*pusher.Client, *reference.Client) {
	t.Helper()
	ours, err := pusher.New(pusher.Client{
		AppID: "3", Key: testKey, Secret: testSecret, Host: "service.test", Secure: true,
		HTTPClient: &http.Client{Transport: s}, EncryptionMasterKeyBase64: testMaster,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ours, &reference.Client{
		AppID: "3", Key: testKey, Secret: testSecret, Host: "service.test", Secure: true,
		HTTPClient: &http.Client{Transport: s}, EncryptionMasterKeyBase64: testMaster,
	}
}

// TestAnswersAreReadAlike has both libraries read the same answers.
func TestAnswersAreReadAlike(t *testing.T) {
	info, prefix := "user_count,subscription_count", "presence-"
	count := "user_count"
	for name, test := range map[string]struct {
		reply  string
		ours   func(*pusher.Client) (any, error)
		theirs func(*reference.Client) (any, error)
	}{
		"trigger": {`{"channels":{"presence-a":{"user_count":3},"b":{"subscription_count":0}}}`,
			func(c *pusher.Client) (any, error) {
				return c.TriggerMultiWithParams([]string{"presence-a", "b"}, "e", "d", pusher.TriggerParams{Info: &info})
			},
			func(c *reference.Client) (any, error) {
				return c.TriggerMultiWithParams([]string{"presence-a", "b"}, "e", "d", reference.TriggerParams{Info: &info})
			}},
		"trigger without info": {`{}`,
			func(c *pusher.Client) (any, error) { return c.TriggerWithParams("b", "e", 1, pusher.TriggerParams{}) },
			func(c *reference.Client) (any, error) {
				return c.TriggerWithParams("b", "e", 1, reference.TriggerParams{})
			}},
		"batch": {`{"batch":[{"user_count":1},{}]}`,
			func(c *pusher.Client) (any, error) {
				return c.TriggerBatch([]pusher.Event{{Channel: "presence-a", Name: "e", Data: "d", Info: &info}, {Channel: "b", Name: "e", Data: 2}})
			},
			func(c *reference.Client) (any, error) {
				return c.TriggerBatch([]reference.Event{{Channel: "presence-a", Name: "e", Data: "d", Info: &info}, {Channel: "b", Name: "e", Data: 2}})
			}},
		"channels": {`{"channels":{"presence-a":{"user_count":3}}}`,
			func(c *pusher.Client) (any, error) {
				return c.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix, Info: &count})
			},
			func(c *reference.Client) (any, error) {
				return c.Channels(reference.ChannelsParams{FilterByPrefix: &prefix, Info: &count})
			}},
		"channel": {`{"occupied":true,"user_count":3}`,
			func(c *pusher.Client) (any, error) { return c.Channel("presence-a", pusher.ChannelParams{Info: &info}) },
			func(c *reference.Client) (any, error) {
				return c.Channel("presence-a", reference.ChannelParams{Info: &info})
			}},
		"users": {`{"users":[{"id":"a"},{"id":"b"}]}`,
			func(c *pusher.Client) (any, error) { return c.GetChannelUsers("presence-a") },
			func(c *reference.Client) (any, error) { return c.GetChannelUsers("presence-a") }},
	} {
		s := &service{reply: test.reply}
		ours, theirs := both(t, s)
		got, err := test.ours(ours)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := describe(s)
		want, err := test.theirs(theirs)
		if err != nil {
			t.Errorf("%s: pusher-http-go: %v", name, err)
			continue
		}
		if sent != describe(s) {
			t.Errorf("%s: sent %s, pusher-http-go sends %s", name, sent, describe(s))
		}
		if g, w := dump(reflect.ValueOf(got)), dump(reflect.ValueOf(want)); g != w {
			t.Errorf("%s: %s, want %s", name, g, w)
		}
	}
}

// TestAuthorizationIsByteForByteTheSame compares on random input, text with
// characters of HTML included.
func TestAuthorizationIsByteForByteTheSame(t *testing.T) {
	ours, theirs := both(t, &service{reply: "{}"})
	rapid.Check(t, func(t *rapid.T) {
		socket := rapid.StringMatching(`[0-9]{1,12}\.[0-9]{1,12}`).Draw(t, "socket")
		private := rapid.StringMatching(`(private-|private-encrypted-|private-cache-|presence-)[A-Za-z0-9_=@,.;-]{1,40}`).Draw(t, "channel")
		presence := rapid.StringMatching(`presence-[a-z]{1,9}`).Draw(t, "presence channel")
		id, text := rapid.StringMatching(`.{1,60}`).Draw(t, "id"), rapid.StringMatching(`(.|\n){0,90}`).Draw(t, "text")

		form := []byte(url.Values{"socket_id": {socket}, "channel_name": {private}}.Encode())
		got, err := ours.AuthorizePrivateChannel(form)
		want, wantErr := theirs.AuthorizePrivateChannel(form)
		compare(t, got, err, want, wantErr)

		form = []byte(url.Values{"socket_id": {socket}, "channel_name": {presence}}.Encode())
		got, err = ours.AuthorizePresenceChannel(form, pusher.MemberData{UserID: id, UserInfo: map[string]string{"text": text}})
		want, wantErr = theirs.AuthorizePresenceChannel(form, reference.MemberData{UserID: id, UserInfo: map[string]string{"text": text}})
		compare(t, got, err, want, wantErr)

		user := map[string]interface{}{"id": strings.Map(printable, id) + "x", "text": text, "n": 1.5}
		got, err = ours.AuthenticateUser(form, user)
		want, wantErr = theirs.AuthenticateUser(form, user)
		compare(t, got, err, want, wantErr)
	})
}

func printable(r rune) rune {
	if r < 0x20 || r == 0x7f {
		return -1
	}
	return r
}

func compare(t *rapid.T, got []byte, err error, want []byte, wantErr error) {
	t.Helper()
	if err != nil || wantErr != nil || string(got) != string(want) {
		t.Fatalf("ours %s, %v\ntheirs %s, %v", got, err, want, wantErr)
	}
}

func TestWebhookIsReadAlike(t *testing.T) {
	ours, theirs := both(t, nil)
	for _, body := range []string{
		`{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"},{"name":"member_added","channel":"presence-a","user_id":"7"}]}`,
		`{"time_ms":1,"events":[{"name":"client_event","channel":"private-encrypted-foobar","event":"client-secret","data":"{\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ciphertext\":\"GBYp1MB6bh0byfszpeaA+urPZkXUBA==\"}","socket_id":"1.2"}]}`,
	} {
		header := http.Header{"X-Pusher-Key": {testKey}, "X-Pusher-Signature": {backend.Token{Secret: testSecret}.Sign([]byte(body))}}
		got, err := ours.Webhook(header, []byte(body))
		if err != nil {
			t.Errorf("Webhook(%s) = %v", body, err)
			continue
		}
		want, err := theirs.Webhook(header, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if g, w := dump(reflect.ValueOf(got)), dump(reflect.ValueOf(want)); g != w {
			t.Errorf("Webhook = %s, want %s", g, w)
		}
		header.Set("X-Pusher-Signature", strings.Repeat("0", 64))
		if _, err := ours.Webhook(header, []byte(body)); !errors.Is(err, backend.ErrWebhookSignature) {
			t.Errorf("Webhook with a wrong signature = %v", err)
		}
	}
	if _, err := ours.Webhook(nil, nil); !errors.Is(err, backend.ErrWebhookHeader) {
		t.Errorf("Webhook(nil, nil) = %v", err)
	}
}

func TestConstruction(t *testing.T) {
	if _, err := pusher.New(pusher.Client{AppID: "1", Key: "k", Secret: "s"}); !errors.Is(err, backend.ErrConfig) {
		t.Errorf("New without host = %v, want ErrConfig", err)
	}
	literal := &pusher.Client{AppID: "1", Key: "k", Secret: "s", Host: "h"}
	if err := literal.Trigger("c", "e", "d"); !errors.Is(err, backend.ErrConfig) {
		t.Errorf("a literal triggers: %v, want ErrConfig", err)
	}
	for name, c := range map[string]pusher.Client{
		"two keys":  {AppID: "1", Key: "k", Secret: "s", Host: "h", EncryptionMasterKey: strings.Repeat("k", 32), EncryptionMasterKeyBase64: testMaster},
		"short key": {AppID: "1", Key: "k", Secret: "s", Host: "h", EncryptionMasterKey: "k"},
	} {
		if _, err := pusher.New(c); !errors.Is(err, backend.ErrMasterKey) {
			t.Errorf("%s: New = %v, want ErrMasterKey", name, err)
		}
	}
	t.Setenv("HERE", "http://k:s@h:81/real/apps/7")
	s := &service{reply: "{}"}
	c, err := pusher.ClientFromEnv("HERE")
	if err != nil {
		t.Fatal(err)
	}
	c.HTTPClient = &http.Client{Transport: s}
	c.EncryptionMasterKey = strings.Repeat("k", 32)
	c.OverrideMaxMessagePayloadKB = 20
	if err := c.Trigger("private-encrypted-x", "e", strings.Repeat("x", 14000)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.request.URL.Scheme+"://"+s.request.URL.Host+s.request.URL.Path, "http://h:81/real/apps/7/events"; got != want {
		t.Errorf("sent to %s, want %s", got, want)
	}
	if _, err := pusher.ClientFromEnv("NOWHERE"); !errors.Is(err, backend.ErrConfig) {
		t.Errorf("ClientFromEnv of an unset variable = %v", err)
	}
}

// TestDeprecatedNames has the rest of the methods send something.
func TestDeprecatedNames(t *testing.T) {
	s := &service{reply: "{}"}
	c, _ := both(t, s)
	for name, call := range map[string]func() error{
		"TriggerExclusive":      func() error { return c.TriggerExclusive("c", "e", "d", "1.2") },
		"TriggerMultiExclusive": func() error { return c.TriggerMultiExclusive([]string{"c"}, "e", "d", "1.2") },
	} {
		if err := call(); err != nil || !strings.Contains(s.body, `"socket_id":"1.2"`) {
			t.Errorf("%s: %v, sent %s", name, err, s.body)
		}
	}
	if err := c.TriggerMulti([]string{"c", "d"}, "e", map[string]string{"a": "<"}); err != nil || !strings.Contains(s.body, `"data":"{\"a\":\"\\u003c\"}"`) {
		t.Errorf("TriggerMulti: %v, sent %s", err, s.body)
	}
	if err := c.SendToUser("7", "e", []byte("x")); err != nil || !strings.Contains(s.body, "#server-to-user-7") {
		t.Errorf("SendToUser: %v, sent %s", err, s.body)
	}
	form := []byte("socket_id=1.2&channel_name=private-x")
	if _, err := c.AuthenticatePrivateChannel(form); err != nil {
		t.Errorf("AuthenticatePrivateChannel: %v", err)
	}
	if _, err := c.AuthenticatePresenceChannel([]byte("socket_id=1.2&channel_name=presence-x"), pusher.MemberData{UserID: "7"}); err != nil {
		t.Errorf("AuthenticatePresenceChannel: %v", err)
	}
	s.status = 401
	if _, ok := errors.AsType[*backend.APIError](c.Trigger("c", "e", "d")); !ok {
		t.Error("an error of the service is no APIError")
	}
}
