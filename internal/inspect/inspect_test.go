package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A site is one node whose API is asked.
type site struct {
	t     *testing.T
	hub   *hub.Hub
	loops *loop.Group
	api   *API
	mux   *http.ServeMux
	peers *fakePeers
	who   access.Principal
}

// fakePeers are sites that can be asked, and one that may not answer.
type fakePeers struct {
	others []*site
	names  []string
	silent string // the name of the one that does not answer
}

func (p *fakePeers) List() (list []survey.Peer) {
	for _, name := range p.names {
		list = append(list, survey.Peer{ID: node.ID(name), Name: name})
	}
	return list
}

func (p *fakePeers) Ask(ctx context.Context, id node.ID, path string, query url.Values) (*http.Response, error) {
	if string(id) == p.silent {
		return nil, errors.New("no route")
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://peer"+path+"?"+query.Encode(), nil)
	w := httptest.NewRecorder()
	p.others[slices.Index(p.names, string(id))].api.PeerHandler().ServeHTTP(w, r)
	return w.Result(), nil
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	app := apps.New()
	app.ID, app.Keys, app.ClientEvents = "1", []apps.Key{{Key: "key", Secret: "secret"}}, true
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, who: access.Principal{Role: access.Operator, Apps: []string{access.AllApps}}, loops: loop.NewGroup(loop.Config{Loops: 2}), peers: &fakePeers{}}
	s.hub = hub.New(hub.Config{Apps: registry, Loops: s.loops})
	t.Cleanup(func() {
		if err := s.loops.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		s.hub.Close()
	})
	s.api = New(Config{Hub: s.hub, Apps: registry, Node: name, Peers: func() survey.Peers { return s.peers }})
	s.mux = http.NewServeMux()
	for path, inner := range s.api.Handlers() {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), s.who)))
		})
		s.mux.Handle(path, h)
		s.mux.Handle(path+"/", h)
	}
	return s
}

// nowhere is a socket whose client takes everything.
type nowhere struct {
	session *hub.Session
	closed  *protocol.Error
}

func (n *nowhere) Send(*frame.Frame) {}
func (n *nowhere) Close(why *protocol.Error) {
	n.closed = why
	n.session.End(hub.Ending{})
}

// connect connects a client, and has it say something.
func (s *site) connect(messages ...string) *nowhere {
	s.t.Helper()
	socket := &nowhere{}
	done := make(chan struct{})
	s.loops.Post(0, func(int) {
		defer close(done)
		session, refused := s.hub.Connect(hub.Request{Path: "/app/key", Query: url.Values{"protocol": {"7"}}, Transport: "websocket"}, socket, 0)
		if refused != nil {
			s.t.Error(refused)
			return
		}
		socket.session = session
		for _, m := range messages {
			session.Receive(time.Now(), []byte(strings.ReplaceAll(m, "SOCKET", session.ID().String())))
		}
	}, 1)
	<-done
	return socket
}

func subscribe(channel string) string {
	return fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q}}`, channel)
}

// ask asks the API and decodes the answer.
func (s *site) ask(method, path string, status int) map[string]any {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest(method, "http://127.0.0.1/api/v1/apps/1"+path, nil))
	if w.Code != status {
		s.t.Errorf("%s %s = %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	var v map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return v
}

// pages are the values of a member of all elements of a list.
func (s *site) pages(path, list, member string) (values []string) {
	s.t.Helper()
	after := ""
	for {
		v := s.ask("GET", path+"&after="+url.QueryEscape(after), 200)
		for _, e := range v[list].([]any) {
			values = append(values, fmt.Sprint(e.(map[string]any)[member]))
		}
		next, more := v["next"].(string)
		if !more || len(values) > 10_000 {
			return values
		}
		after = next
	}
}

// answered are the nodes of an answer, with a ! in front of those that have not.
func answered(v map[string]any) string {
	var names []string
	for _, n := range v["nodes"].([]any) {
		n := n.(map[string]any)
		name := n["name"].(string)
		if n["answered"] != true {
			name = "!" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func threeSites(t *testing.T) (a, b, c *site) {
	a, b, c = newSite(t, "a"), newSite(t, "b"), newSite(t, "c")
	a.peers.others, a.peers.names = []*site{b, c}, []string{"b", "c"}
	return a, b, c
}

func TestConnectionsOfAllNodesAreInOneList(t *testing.T) {
	a, b, c := threeSites(t)
	var want []string
	for range 40 {
		for _, s := range []*site{a, b, c} {
			want = append(want, s.connect().session.ID().String())
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 50, 1000} {
		got := a.pages(fmt.Sprintf("/connections?limit=%d", limit), "connections", "socket")
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %d connections, want %d, the newest first", limit, len(got), len(want))
		}
	}
	v := a.ask("GET", "/connections?limit=1", 200)
	if v["total"] != 120.0 || answered(v) != "a b c" {
		t.Errorf("total %v of nodes %s, want 120 of a b c", v["total"], answered(v))
	}
	v = a.ask("GET", "/connections?by=transport", 200)
	if got := fmt.Sprint(v["groups"]); got != "[map[connections:120 value:websocket]]" {
		t.Errorf("by transport: %s", got)
	}
}

func TestNodeThatDoesNotAnswerIsNamed(t *testing.T) {
	a, _, c := threeSites(t)
	a.connect()
	c.connect()
	a.peers.silent = "b"
	v := a.ask("GET", "/connections", 200)
	if answered(v) != "a !b c" || v["total"] != 2.0 {
		t.Errorf("nodes %s, total %v", answered(v), v["total"])
	}
	if got := fmt.Sprint(v["nodes"].([]any)[1].(map[string]any)["problem"]); !strings.Contains(got, "no route") {
		t.Errorf("the problem is %q", got)
	}
}

func TestConnectionOfAnotherNodeIsShownAndClosed(t *testing.T) {
	a, b, _ := threeSites(t)
	there := b.connect(subscribe("news"), subscribe("room"))
	id := there.session.ID().String()
	v := a.ask("GET", "/connections/"+id, 200)
	if v["node"] != "b" || len(v["channels"].([]any)) != 2 || v["transport"] != "websocket" {
		t.Errorf("the connection is %v", v)
	}
	a.ask("DELETE", "/connections/"+id+"?code=4001", 400)
	a.ask("DELETE", "/connections/"+id+"?code=4200", 204)
	a.ask("DELETE", "/connections/"+id+"?code=4200", 404)
	a.ask("GET", "/connections/"+id, 404)
	a.ask("GET", "/connections/nonsense", 400)
	if there.closed != protocol.ErrReconnect {
		t.Errorf("it was closed with %v", there.closed)
	}
}

func TestChannelShowsItsSubscribersOnAllNodes(t *testing.T) {
	a, b, _ := threeSites(t)
	a.connect(subscribe("news"))
	b.connect(subscribe("news"))
	v := a.ask("GET", "/channels/news?limit=1", 200)
	if v["kind"] != "public" || len(v["subscribers"].([]any)) != 1 || v["next"] == nil || answered(v) != "a b c" {
		t.Errorf("the channel is %v", v)
	}
	if got := a.pages("/channels/news?limit=1", "subscribers", "node"); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("the subscribers are on %v", got)
	}
	a.ask("GET", "/channels/none", 404)
	a.ask("GET", "/channels/news?payloads=yes", 400)
	a.ask("GET", "/channels?order=size", 400)
	a.ask("GET", "/channels?order=subscriptions&after=x", 400)
	if got := a.pages("/channels?order=subscriptions&limit=1", "channels", "name"); !slices.Equal(got, []string{"news"}) {
		t.Errorf("channels by size: %v", got)
	}
}

// connectAs connects a client that is signed in.
func (s *site) connectAs(user string) {
	s.t.Helper()
	c := s.connect()
	done := make(chan struct{})
	s.loops.Post(0, func(int) {
		defer close(done)
		data := fmt.Sprintf(`{"id":%q}`, user)
		auth := "key:" + protocol.Sign("secret", protocol.UserText(c.session.ID(), data))
		c.session.Receive(time.Now(), fmt.Appendf(nil, `{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`, auth, data))
	}, 1)
	<-done
}

func TestUsersOfAllNodesAreInOneList(t *testing.T) {
	a, b, c := threeSites(t)
	a.connectAs("ann")
	b.connectAs("ann")
	for i := range 20 {
		[]*site{a, b, c}[i%3].connectAs(fmt.Sprintf("user/%02d", i))
	}
	for _, limit := range []int{1, 3, 100} {
		got := a.pages(fmt.Sprintf("/users?limit=%d", limit), "users", "id")
		if len(got) != 21 || !slices.IsSorted(got) {
			t.Errorf("in pages of %d: %v", limit, got)
		}
	}
	if v := a.ask("GET", "/users/ann", 200); v["sockets"] != 2.0 || v["online"] != true || answered(v) != "a b c" {
		t.Errorf("ann is %v", v)
	}
	if v := a.ask("GET", "/users/user%2F01", 200); v["id"] != "user/01" || v["sockets"] != 1.0 {
		t.Errorf("user/01, on another node, is %v", v)
	}
	a.ask("POST", "/users/ann/terminate", 200)
	closed := make(chan struct{})
	a.loops.Post(0, func(int) { close(closed) }, 1) // behind what closes them
	<-closed
	if v := a.ask("GET", "/users/ann", 200); v["sockets"] != 1.0 {
		t.Errorf("ann has %v connections after those of this node were closed", v["sockets"])
	}
}

// TestUserThatAPageCutsOffIsNotHalfTold: what a full page of one node leaves out,
// others may have too.
func TestUserThatAPageCutsOffIsNotHalfTold(t *testing.T) {
	merged := mergeUsers([]userPage{
		{Users: []userView{{ID: "a", Sockets: 1}, {ID: "b", Sockets: 1}}, Next: "b"},
		{Users: []userView{{ID: "a", Sockets: 1}, {ID: "c", Sockets: 1}}, Next: "c"},
	}, 2)
	if len(merged.Users) != 2 || merged.Users[0].Sockets != 2 || merged.Next != "b" {
		t.Errorf("merged: %+v", merged)
	}
	merged = mergeUsers([]userPage{{Users: []userView{{ID: "a"}}, Next: "a"}, {Users: []userView{{ID: "b"}}}}, 9)
	if len(merged.Users) != 1 || merged.Next != "a" {
		t.Errorf("merged: %+v", merged)
	}
}

func TestTooManyQuestionsAtOnceAreRefused(t *testing.T) {
	s := newSite(t, "a")
	for range maxAtOnce {
		s.api.busy <- struct{}{}
	}
	s.ask("GET", "/channels", 503)
	<-s.api.busy
	s.ask("GET", "/channels", 200)
	for range maxAtOnce - 1 {
		<-s.api.busy
	}
}

func TestOddQuestionsAreRefused(t *testing.T) {
	s := newSite(t, "a")
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/connections?adress=1", 400},
		{"GET", "/connections?address=x", 400},
		{"GET", "/connections?address=10.0.0.0/8", 200},
		{"GET", "/connections?after=x", 400},
		{"GET", "/connections?by=name", 400},
		{"GET", "/connections?limit=1001", 400},
		{"POST", "/connections", 405},
		{"GET", "/channels/a/b", 404},
		{"GET", "/channels/a/history", 404},
		{"GET", "/channels/a/history?after=x", 400},
		{"GET", "/channels/a/history?direction=up", 400},
		{"GET", "/users/x/terminate", 405},
	} {
		s.ask(test.method, test.path, test.status)
	}
}

func TestErrorsOfAllNodesAddUp(t *testing.T) {
	a, b, _ := threeSites(t)
	for i, s := range []*site{a, b, b} {
		s.api.cfg.Faults.Trace(trace.Record{App: "1", Kind: trace.ClientError, Text: fmt.Sprint("Received invalid JSON: ", i)})
		s.api.cfg.Faults.Trace(trace.Record{Kind: trace.APIError, Code: 401, Text: "GET /: Unknown auth_key"})
	}
	v := a.ask("GET", "/errors", 200)
	list := v["errors"].([]any)
	if len(list) != 1 || answered(v) != "a b c" {
		t.Fatalf("errors: %v", v)
	}
	e := list[0].(map[string]any)
	if counts := e["counts"].([]any); e["total"] != 3.0 || counts[len(counts)-1] != 3.0 && counts[len(counts)-2] == 0.0 {
		t.Errorf("the error is %v", e)
	}
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/api/v1/errors", nil))
	if !strings.Contains(w.Body.String(), `"cause":"unknown_key","detail":"Unknown auth_key","total":3`) {
		t.Errorf("errors of strangers: %s", w.Body)
	}
}

// TestWrongSignaturesTellWhoseSecretItWas where it is one of the app. No secret is told.
func TestWrongSignaturesTellWhoseSecretItWas(t *testing.T) {
	app := apps.New()
	app.Keys = []apps.Key{{Key: "first", Secret: "secret-one"}, {Key: "second", Secret: "secret-two"}}
	const signed = "1.2:private-a"
	request := "POST\n/apps/1/events\nauth_key=first"
	sign := func(secret, text string) string { return protocol.NewSigner(secret).Sign([]byte(text)) }
	backend := func(secret string) string {
		return fmt.Sprintf("POST /apps/1/events: Invalid signature: you should have sent HmacSHA256Hex(%q, your_secret_key), but you sent %q", request, sign(secret, request))
	}
	for name, tt := range map[string]struct{ text, want string }{
		"another key":           {protocol.InvalidSignature(signed, sign("secret-two", signed)).Message, "the secret of second, and names another key"},
		"a line end":            {protocol.InvalidSignature(signed, sign("secret-one\n", signed)).Message, "the secret of first and a line end"},
		"a backend":             {backend("secret-two"), "the secret of second, and names another key"},
		"a backend, with space": {backend("secret-one "), "the secret of first and a line end or a space"},
		"another secret":        {protocol.InvalidSignature(signed, sign("other", signed)).Message, ""},
		"no digest":             {protocol.InvalidSignature(signed, "x").Message, ""},
		"something else":        {"Invalid channel name: x", ""},
	} {
		got := whoseSecret(app, tt.text)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || strings.Contains(got, "secret-") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
