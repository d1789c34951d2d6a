package backend_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	reference "github.com/pusher/pusher-http-go/v5"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/backend"
)

// A recorder keeps the request of pusher-http-go and answers with success.
type recorder struct {
	request *http.Request
	body    []byte
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.request = q
	r.body, _ = io.ReadAll(q.Body)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}")), Request: q}, nil
}

// Generators of what both libraries take.
var (
	channelName = rapid.StringMatching(`(private-|presence-|cache-|private-encrypted-)?[A-Za-z0-9_=@,.;-]{1,40}`)
	socketID    = rapid.StringMatching(`[1-9][0-9]{0,9}\.[1-9][0-9]{0,9}`)
	credential  = rapid.StringMatching(`[A-Za-z0-9_.-]{1,40}`)
	anyText     = rapid.String()
	userID      = rapid.StringMatching(`[^\x00-\x1f\x7f/?#%]{1,60}`)
)

// A pair is the same app in both libraries.
type pair struct {
	ours     *backend.Client
	theirs   *reference.Client
	recorder *recorder
	secret   string
	now      time.Time
}

func drawPair(t *rapid.T) *pair {
	p := &pair{recorder: &recorder{}, secret: credential.Draw(t, "secret")}
	id, key := strconv.Itoa(rapid.IntRange(1, 1<<30).Draw(t, "app id")), credential.Draw(t, "key")
	p.theirs = &reference.Client{
		AppID: id, Key: key, Secret: p.secret, Host: "service.test", Secure: true,
		HTTPClient: &http.Client{Transport: p.recorder}, EncryptionMasterKeyBase64: testMaster,
	}
	ours, err := backend.New(backend.Config{
		AppID: id, Key: key, Secret: p.secret, Host: "service.test", EncryptionMasterKeyBase64: testMaster,
		Now: func() time.Time { return p.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.ours = ours
	return p
}

// checkRequest signs what pusher-http-go has sent, at the time it says, and
// compares the whole URL.
func (p *pair) checkRequest(t *rapid.T, query url.Values) {
	t.Helper()
	r := p.recorder.request
	sent := r.URL.Query()
	seconds, err := strconv.ParseInt(sent.Get("auth_timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p.now = time.Unix(seconds, 0)
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/apps/"+p.theirs.AppID)
	signed, err := p.ours.SignQuery(r.Method, path, query, p.recorder.body)
	if err != nil {
		t.Fatal(err)
	}
	if ours, theirs := signed.Encode(), sent.Encode(); ours != theirs {
		t.Fatalf("%s %s: ours\n%s\ntheirs\n%s", r.Method, r.URL.Path, ours, theirs)
	}
	target, err := p.ours.SignedURL(r.Method, path, query, p.recorder.body)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(target); err != nil || u.Host != r.URL.Host || u.EscapedPath() != r.URL.EscapedPath() || u.Scheme != r.URL.Scheme {
		t.Fatalf("SignedURL = %s, theirs %s", target, r.URL)
	}
}

// TestRequestsAreSignedAsPusherHTTPGoSigns compares with that library, on
// random input.
func TestRequestsAreSignedAsPusherHTTPGoSigns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPair(t)
		data := anyText.Draw(t, "data")
		channel := channelName.Draw(t, "channel")
		var err error
		switch rapid.IntRange(0, 5).Draw(t, "call") {
		case 0:
			socket, info := socketID.Draw(t, "socket"), "user_count"
			_, err = p.theirs.TriggerWithParams(channel, anyText.Draw(t, "event"), data, reference.TriggerParams{SocketID: &socket, Info: &info})
		case 1:
			_, err = p.theirs.TriggerBatch([]reference.Event{{Channel: channel, Name: "e", Data: data}})
		case 2:
			err = p.theirs.SendToUser(userID.Draw(t, "user"), "e", data)
		case 3:
			_, err = p.theirs.GetChannelUsers(channel)
		case 4:
			info := "user_count,subscription_count"
			_, err = p.theirs.Channel(channel, reference.ChannelParams{Info: &info})
			if err == nil {
				p.checkRequest(t, url.Values{"info": {info}})
			}
			return
		case 5:
			// Their query is sent as it is, so that only text that needs no
			// escapes arrives.
			prefix := rapid.StringMatching(`[A-Za-z0-9_=@,.-]{0,30}`).Draw(t, "prefix")
			_, err = p.theirs.Channels(reference.ChannelsParams{FilterByPrefix: &prefix})
			if err == nil {
				p.checkRequest(t, url.Values{"filter_by_prefix": {prefix}})
			}
			return
		}
		if err != nil {
			t.Skip(err)
		}
		p.checkRequest(t, nil)
	})
}

// TestTokensAreThoseOfPusherHTTPGo compares with that library, on random input.
func TestTokensAreThoseOfPusherHTTPGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPair(t)
		socket := socketID.Draw(t, "socket")
		channel := rapid.StringMatching(`private-(encrypted-|cache-)?[A-Za-z0-9_=@,.;-]{1,40}`).Draw(t, "channel")
		form := []byte(url.Values{"socket_id": {socket}, "channel_name": {channel}}.Encode())

		theirs, err := p.theirs.AuthorizePrivateChannel(form)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := p.ours.AuthorizeChannel(socket, channel, nil)
		compareTokens(t, ours, err, theirs)

		presence := "presence-" + channel
		form = []byte(url.Values{"socket_id": {socket}, "channel_name": {presence}}.Encode())
		member := reference.MemberData{
			UserID:   rapid.StringMatching(`.{1,60}`).Draw(t, "member"),
			UserInfo: rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), rapid.StringMatching(`[^<>&\x{2028}\x{2029}]{0,40}`), 0, 5).Draw(t, "info"),
		}
		theirs, err = p.theirs.AuthorizePresenceChannel(form, member)
		if err != nil {
			t.Fatal(err)
		}
		var info any
		if len(member.UserInfo) > 0 {
			info = member.UserInfo
		}
		if !strings.ContainsAny(member.UserID, "<>&") { // they escape these, as the browser does not
			ours, err = p.ours.AuthorizeChannel(socket, presence, &backend.Member{UserID: member.UserID, UserInfo: info})
			compareTokens(t, ours, err, theirs)
		}
		var reply backend.ChannelAuth
		if err := json.Unmarshal(theirs, &reply); err != nil {
			t.Fatal(err)
		}
		ours, err = p.ours.AuthorizeChannelData(socket, presence, reply.ChannelData)
		compareTokens(t, ours, err, theirs)
		compareUsers(t, p, socket)
	})
}

func compareUsers(t *rapid.T, p *pair, socket string) {
	id := userID.Draw(t, "user")
	data := map[string]any{"id": id, "note": anyText.Draw(t, "note")}
	theirs, err := p.theirs.AuthenticateUser([]byte(url.Values{"socket_id": {socket}}.Encode()), data)
	if err != nil {
		t.Skip(err) // ids are counted in bytes there
	}
	var reply backend.UserAuth
	if err := json.Unmarshal(theirs, &reply); err != nil {
		t.Fatal(err)
	}
	ours, err := p.ours.AuthenticateUserData(socket, reply.UserData)
	compareTokens(t, ours, err, theirs)
}

func compareTokens(t *rapid.T, ours any, err error, theirs []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ours)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(theirs) {
		t.Fatalf("ours\n%s\ntheirs\n%s", text, theirs)
	}
}

// TestEncryptionIsThatOfPusherHTTPGo opens what that library has encrypted.
func TestEncryptionIsThatOfPusherHTTPGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPair(t)
		data, channel := anyText.Draw(t, "data"), "private-encrypted-"+rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "channel")
		if err := p.theirs.Trigger(channel, "e", data); err != nil {
			t.Skip(err)
		}
		var body struct{ Data string }
		if err := json.Unmarshal(p.recorder.body, &body); err != nil {
			t.Fatal(err)
		}
		if got, err := p.ours.DecryptData(channel, body.Data); err != nil || string(got) != data {
			t.Fatalf("DecryptData = %q, %v; want %q", got, err, data)
		}
		p.checkOpens(t, channel, data)
	})
}

// checkOpens has that library open what is encrypted here, in a webhook.
func (p *pair) checkOpens(t *rapid.T, channel, data string) {
	envelope, err := p.ours.EncryptData(channel, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"time_ms": 1, "events": []any{
		map[string]string{"name": "client_event", "channel": channel, "event": "client-x", "data": envelope},
	}})
	if err != nil {
		t.Fatal(err)
	}
	header := hookHeader(p.theirs.Key, backend.Token{Secret: p.secret}.Sign(body))
	hook, err := p.theirs.Webhook(header, body)
	if err != nil || hook.Events[0].Data != data {
		t.Fatalf("pusher-http-go reads %+v, %v; want %q", hook, err, data)
	}
	own, err := p.ours.Webhook(header, body)
	if err != nil || own.Events[0].Data != data {
		t.Fatalf("we read %+v, %v; want %q", own, err, data)
	}
}
