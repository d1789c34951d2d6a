package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// The libraries for PHP and Ruby come from registries that not every machine
// reaches. Where BELFRY_TEST_VENDOR is a directory that has them, as README.md
// says, the programs of the pages are run, and what they sent is compared with
// testdata/libraries. Elsewhere that is sent in their place.

// A recording is what a program of a page sends, and what it answers to a front end.
type recording struct {
	Query, Body, ContentType string          // of the request that triggers
	Private, Presence        json.RawMessage // answers of the endpoint, for recordedSocket
}

// recordedSocket is the connection that the recorded answers are for.
const recordedSocket = "1234.5678"

func TestStartWithPHP(t *testing.T) {
	t.Parallel()
	vendor, ok := os.LookupEnv("BELFRY_TEST_VENDOR")
	if !ok {
		replay(t, "php")
		return
	}
	r, recorder := readRecorded(t, "php.md")
	if err := os.Symlink(filepath.Join(vendor, "php", "vendor"), filepath.Join(r.dir, "vendor")); err != nil {
		t.Fatal(err)
	}
	r.run(r.dir, "php", "-S", r.addr, "server.php")
	r.announces("/pusher/auth", "/orders")
	recorder.compare(t, r, "php")
}

// TestStartWithRails has a small server in place of Rails, which loads the files
// of the page and calls them as its controller does.
func TestStartWithRails(t *testing.T) {
	t.Parallel()
	vendor, ok := os.LookupEnv("BELFRY_TEST_VENDOR")
	if !ok {
		replay(t, "ruby")
		return
	}
	r, recorder := readRecorded(t, "rails.md")
	r.file("server.rb", `
require "json"
require "socket"
require "uri"
Dir["config/initializers/*.rb", "app/**/*.rb"].sort.each { |file| load file }
server = TCPServer.new("127.0.0.1", Integer(ARGV[0]))
loop do
  client = server.accept
  line = client.gets or next client.close
  path = line.split[1]
  headers = {}
  while (line = client.gets.chomp) != ""
    name, value = line.split(": ", 2)
    headers[name.downcase] = value
  end
  body = client.read(headers["content-length"].to_i)
  if path == "/orders"
    OrderAnnouncement.created(JSON.parse(body)["id"])
    status, answer = "201 Created", ""
  else
    form = URI.decode_www_form(body).to_h
    user = { id: "17", name: "Ann" }
    status, answer = "200 OK", ChannelAuthorization.for(user, channel: form["channel_name"], socket_id: form["socket_id"]).to_json
  end
  client.write "HTTP/1.1 #{status}\r\nContent-Length: #{answer.bytesize}\r\nConnection: close\r\n\r\n#{answer}"
  client.close
end
`)
	r.run(r.dir, "ruby", "-I", filepath.Join(vendor, "ruby", "lib"), "server.rb", fmt.Sprint(port(r.addr)))
	r.announces("/pusher/auth", "/orders")
	recorder.compare(t, r, "ruby")
}

// A recorder stands between a program and the service.
type recorder struct {
	mu   sync.Mutex
	seen recording
}

// readRecorded is read, with a recorder in front of belfry dev.
func readRecorded(t testing.TB, page string) (*reader, *recorder) {
	t.Helper()
	r := begin(t)
	recorder := new(recorder)
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(&url.URL{Scheme: "http", Host: r.svc.Addr}) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		recorder.mu.Lock()
		recorder.seen.Query, recorder.seen.Body, recorder.seen.ContentType = request.URL.RawQuery, string(body), request.Header.Get("Content-Type")
		recorder.mu.Unlock()
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(front.Close)
	r.to = strings.TrimPrefix(front.URL, "http://")
	r.dir = r.write(page, "")
	return r, recorder
}

// compare finds what the recording has otherwise than the program has it now.
func (rec *recorder) compare(t *testing.T, r *reader, library string) {
	t.Helper()
	now := rec.seen
	now.Private, now.Presence = r.authorize("private-orders"), r.authorize("presence-room")
	then, err := recorded(library)
	if errors.Is(err, fs.ErrNotExist) {
		text, err := json.MarshalIndent(now, "", "  ")
		if err == nil {
			err = os.WriteFile(recordingFile(library), append(text, '\n'), 0o600)
		}
		t.Fatalf("%s was not there, and is written now (%v): look at it, and run the test again", recordingFile(library), err)
	} else if err != nil {
		t.Fatal(err)
	}
	unsigned := func(query string) string {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		values.Del("auth_timestamp")
		values.Del("auth_signature")
		return values.Encode()
	}
	now.Query, then.Query = unsigned(now.Query), unsigned(then.Query)
	got, want := fmt.Sprintf("%s", now), fmt.Sprintf("%s", then)
	if got != want {
		t.Errorf("the library sends and answers\n%s\nand not what was recorded\n%s\nRemove %s to record it again", got, want, recordingFile(library))
	}
}

// authorize asks the reader's program, for a connection that never was.
func (r *reader) authorize(channel string) json.RawMessage {
	r.t.Helper()
	form := url.Values{"socket_id": {recordedSocket}, "channel_name": {channel}}
	request, err := http.NewRequest(http.MethodPost, "http://"+r.addr+"/pusher/auth", strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, text := roundTrip(r.t, request)
	if status != http.StatusOK {
		r.t.Fatalf("/pusher/auth = %d %s", status, text)
	}
	return json.RawMessage(strings.TrimSpace(text))
}

func recordingFile(library string) string {
	return filepath.Join("testdata", "libraries", library+".json")
}

func recorded(library string) (r recording, err error) {
	text, err := os.ReadFile(recordingFile(library))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	for _, answer := range []*json.RawMessage{&r.Private, &r.Presence} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, *answer); err != nil {
			return r, err
		}
		*answer = compact.Bytes()
	}
	return r, nil
}

// replay sends what a library has sent, with the time of now: the service takes
// no request that is older than ten minutes. That the signature is made as
// the library makes it is seen by the one that was recorded.
func replay(t *testing.T, library string) {
	t.Helper()
	t.Logf("BELFRY_TEST_VENDOR is not set: what the library for %s has sent once is sent again", library)
	r, err := recorded(library)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/apps/" + service.AppID + "/events"
	sign := func(values url.Values) string {
		values.Del("auth_signature")
		return protocol.Sign(service.Secret, "POST\n"+path+"\n"+values.Encode())
	}
	values, err := url.ParseQuery(r.Query)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sign(values), mustQuery(t, r.Query, "auth_signature"); got != want {
		t.Errorf("the signature that was recorded is %s, and ours %s", want, got)
	}
	values.Set("auth_timestamp", fmt.Sprint(time.Now().Unix()))
	signature := sign(values)
	values.Set("auth_signature", signature)

	svc := service.StartDev(t)
	ann := openBrowser(t, svc, "").openDev("ann")
	ann.Subscribe("private-orders")
	request, err := http.NewRequest(http.MethodPost, "http://"+svc.Addr+path+"?"+values.Encode(), strings.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", r.ContentType)
	if status, text := roundTrip(t, request); status != http.StatusOK {
		t.Errorf("the recorded request = %d %s", status, text)
	}
	ann.AwaitData("private-orders", "created", map[string]any{"id": 17.0})
	r.verifyAnswers(t)
}

func mustQuery(t testing.TB, query, name string) string {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values.Get(name)
}

// verifyAnswers looks at the answers of the endpoint as the service does.
func (r recording) verifyAnswers(t testing.TB) {
	t.Helper()
	socket, ok := protocol.ParseSocketID(recordedSocket)
	if !ok {
		t.Fatal("the socket id of the recordings is none")
	}
	for channel, answer := range map[string]json.RawMessage{"private-orders": r.Private, "presence-room": r.Presence} {
		var grant struct {
			Auth        string `json:"auth"`
			ChannelData string `json:"channel_data"`
		}
		if err := json.Unmarshal(answer, &grant); err != nil {
			t.Fatal(err)
		}
		signed := protocol.ChannelText(socket, channel)
		if grant.ChannelData != "" {
			signed = protocol.ChannelDataText(socket, channel, grant.ChannelData)
		}
		key, digest, ok := protocol.SplitAuth(grant.Auth)
		if !ok || key != service.Key || !protocol.VerifySignature(service.Secret, signed, digest) {
			t.Errorf("the answer for %s is not signed right: %s", channel, answer)
		}
		if strings.HasPrefix(channel, "presence-") {
			if m, err := protocol.ParseMember(grant.ChannelData); err != nil || m.UserID != "17" {
				t.Errorf("the member is %+v, %v", m, err)
			}
		}
	}
}
