package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// A running is belfry serve with what is needed to speak to it.
type running struct {
	*process
	t            testing.TB
	dir          string
	plain, admin string
}

// serveIn runs belfry serve in a directory, which keeps its data.
func serveIn(t testing.TB, dir string, args ...string) *running {
	t.Helper()
	p, plain, admin := startServe(t, dir, args...)
	return &running{p, t, dir, plain, admin}
}

// apps runs belfry apps as an operator on the same machine does.
func (r *running) apps(args ...string) (status int, out, err string) {
	r.t.Helper()
	return runCommand(r.t, setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}, append([]string{"apps"}, args...)...)
}

// do is apps for what must succeed.
func (r *running) do(args ...string) string {
	r.t.Helper()
	status, out, err := r.apps(args...)
	if status != 0 {
		r.t.Fatalf("belfry apps %v = %d %s%s", args, status, out, err)
	}
	return out
}

// A madeApp is what belfry apps create --json prints.
type madeApp struct {
	ID   string
	Keys []struct{ Key, Secret string }
}

func (r *running) create(args ...string) madeApp {
	r.t.Helper()
	return parseApp(r.t, r.do(append([]string{"create", "--json"}, args...)...))
}

func parseApp(t testing.TB, text string) madeApp {
	t.Helper()
	var app madeApp
	if err := json.Unmarshal([]byte(text), &app); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return app
}

func (r *running) url(id, key, secret string) string {
	return fmt.Sprintf("http://%s:%s@%s/apps/%s", key, secret, r.plain, id)
}

// trigger sends an event as a backend with those credentials, and returns what
// went wrong.
func (r *running) trigger(id, key, secret string) string {
	r.t.Helper()
	_, _, err := runCommand(r.t, withURL(r.url(id, key, secret)), "trigger", "news", "hello")
	return err
}

// A peer is a connection that is watched for its end.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   io.Reader
}

type readWriter struct {
	io.Reader
	io.Writer
}

// dial opens a connection.
func (r *running) dial(key string) *peer {
	r.t.Helper()
	conn, buffered, _, err := ws.Dial(r.t.Context(), "ws://"+r.plain+"/app/"+key+"?protocol=7")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if buffered != nil {
		return &peer{r.t, conn, buffered}
	}
	return &peer{r.t, conn, conn}
}

// connect opens a connection, which must be accepted.
func (r *running) connect(key string) *peer {
	r.t.Helper()
	c := r.dial(key)
	c.expect("pusher:connection_established")
	return c
}

// expect reads one message.
func (c *peer) expect(event string) {
	c.t.Helper()
	text, err := wsutil.ReadServerText(readWriter{c.in, c.conn})
	if err != nil || !strings.Contains(string(text), `"event":"`+event+`"`) {
		c.t.Errorf("got %s %v, want %s", text, err, event)
	}
}

// expectClosed reads until the end, which must come with a code.
func (c *peer) expectClosed(code int) {
	c.t.Helper()
	for {
		_, err := wsutil.ReadServerText(readWriter{c.in, c.conn})
		if closed, ok := errors.AsType[wsutil.ClosedError](err); ok {
			if int(closed.Code) != code {
				c.t.Errorf("closed with %d %s, want %d", closed.Code, closed.Reason, code)
			}
			return
		}
		if err != nil {
			c.t.Errorf("the connection ended with %v, want %d", err, code)
			return
		}
	}
}

// alive sends a ping and gets the answer.
func (c *peer) alive() {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(`{"event":"pusher:ping","data":{}}`)); err != nil {
		c.t.Errorf("the connection has ended: %v", err)
		return
	}
	c.expect("pusher:pong")
}

func TestAppIsThereWhenTheCommandReturns(t *testing.T) {
	r := serveIn(t, t.TempDir())
	out := r.do("create", "--name", "shop", "--client-events", "--limits-connections=2")
	m := credentials.FindStringSubmatch(out)
	if m == nil || !strings.Contains(out, "The secret will not be shown again.") {
		t.Fatalf("create printed no credentials:\n%s", out)
	}
	id, key, secret := m[1], m[2], m[3]
	r.connect(key).alive()
	if err := r.trigger(id, key, secret); !strings.HasPrefix(err, "triggered hello on news\n") {
		t.Errorf("trigger with the credentials: %s", err)
	}
	shown := r.do("show", id) + r.do("show", id, "--json") + r.do("list") + r.do("list", "--json")
	for _, want := range []string{key, "shop", `"client_events":true`, "limits.connections"} {
		if !strings.Contains(shown, want) {
			t.Errorf("show and list have no %q:\n%s", want, shown)
		}
	}
	if strings.Contains(shown+r.err.String(), secret) {
		t.Errorf("the secret is told again:\n%s%s", shown, r.err)
	}
}

func TestDisableAndDeleteCloseAndOtherChangesDoNot(t *testing.T) {
	r := serveIn(t, t.TempDir())
	app := r.create()
	key := app.Keys[0].Key
	first := r.connect(key)
	r.do("update", app.ID, "--name=x", "--limits-channels-per-connection=3", "--subscription-count")
	first.alive()
	r.do("disable", app.ID)
	first.expectClosed(4003)
	if err := r.trigger(app.ID, key, app.Keys[0].Secret); !strings.Contains(err, "403 Forbidden: App disabled") {
		t.Errorf("trigger of a disabled app: %s", err)
	}
	r.do("enable", app.ID)
	second := r.connect(key)
	second.alive()
	r.do("delete", app.ID)
	second.expectClosed(4001)
	if err := r.trigger(app.ID, key, app.Keys[0].Secret); !strings.Contains(err, "Unknown auth_key") {
		t.Errorf("trigger of an app that is gone: %s", err)
	}
	if status, _, err := r.apps("show", app.ID); status != 1 || err != "belfry apps show: There is no such app.\n" {
		t.Errorf("show of an app that is gone = %d %s", status, err)
	}
}

func TestRotateWithOverlap(t *testing.T) {
	r := serveIn(t, t.TempDir())
	app := r.create()
	old := app.Keys[0]
	connected := r.connect(old.Key)
	m := credentials.FindStringSubmatch(r.do("rotate", app.ID))
	if m == nil || m[1] != app.ID || m[2] == old.Key {
		t.Fatalf("rotate printed %q", m)
	}
	for _, pair := range [][2]string{{old.Key, old.Secret}, {m[2], m[3]}} {
		if err := r.trigger(app.ID, pair[0], pair[1]); !strings.HasPrefix(err, "triggered hello on news\n") {
			t.Errorf("trigger with a pair of two: %s", err)
		}
		r.connect(pair[0]).alive()
	}
	r.do("revoke", app.ID, old.Key)
	connected.alive()
	if err := r.trigger(app.ID, old.Key, old.Secret); !strings.Contains(err, "Unknown auth_key") {
		t.Errorf("trigger with the revoked pair: %s", err)
	}
	if err := r.trigger(app.ID, m[2], m[3]); !strings.HasPrefix(err, "triggered hello on news\n") {
		t.Errorf("trigger with the other pair: %s", err)
	}
	if status, _, err := r.apps("revoke", app.ID, m[2]); status != 1 || !strings.Contains(err, "It is the last key of the app.") {
		t.Errorf("revoke of the last pair = %d %s", status, err)
	}
	if log := r.err.String(); strings.Contains(log, old.Secret) || strings.Contains(log, m[3]) {
		t.Errorf("the log has a secret:\n%s", log)
	}
}

// Whatever a command was told to be done is there after a crash.
func TestAppsAndTokenSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	var made []madeApp
	var token []byte
	for round := range 4 {
		r := serveIn(t, dir)
		now, err := os.ReadFile(filepath.Join(dir, "belfry-data", "admin-token"))
		if err != nil || round > 0 && string(now) != string(token) {
			t.Fatalf("round %d: the token is %q, %v, want %q", round, now, err, token)
		}
		token = now
		for _, app := range made {
			r.connect(app.Keys[0].Key).alive()
		}
		if round > 0 {
			r.do("delete", made[0].ID)
			made = made[1:]
		}
		made = append(made, r.create("--app-id", fmt.Sprint(round)), r.create())
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.end()
	}
	r := serveIn(t, dir)
	for _, app := range made {
		r.connect(app.Keys[0].Key).alive()
	}
	if got, want := strings.Count(r.do("list"), "\n"), 1+1+len(made); got != want { // a title, and the first app
		t.Errorf("list has %d lines, want %d", got, want)
	}
}

func TestAppOfElsewhereIsBroughtAlong(t *testing.T) {
	r := serveIn(t, t.TempDir())
	s := setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}, stdin: "hunter2\n"}
	if status, _, err := runCommand(t, s, "apps", "create", "--app-id=77", "--key=mine"); status != 0 {
		t.Fatal(err)
	}
	if err := r.trigger("77", "mine", "hunter2"); !strings.HasPrefix(err, "triggered hello on news\n") {
		t.Errorf("trigger with the credentials that were brought along: %s", err)
	}
	s.stdin = ""
	if status, _, err := runCommand(t, s, "apps", "create", "--key=other"); status != 1 || !strings.Contains(err, "keys[0].secret: is empty") {
		t.Errorf("create without a secret = %d %s", status, err)
	}
}

func TestTwoOperatorsOnTheCommandLine(t *testing.T) {
	r := serveIn(t, t.TempDir())
	id := r.create().ID
	var shown struct{ Revision uint64 }
	if err := json.Unmarshal([]byte(r.do("show", id, "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	revision := fmt.Sprint("--revision=", shown.Revision)
	r.do("update", id, "--name=a", revision)
	if status, _, err := r.apps("update", id, "--name=b", revision); status != 1 || !strings.Contains(err, "The app was changed meanwhile") {
		t.Errorf("update of an old revision = %d %s", status, err)
	}
	if status, _, err := r.apps("delete", id, revision); status != 1 || !strings.Contains(err, "The app was changed meanwhile") {
		t.Errorf("delete of an old revision = %d %s", status, err)
	}
	if out := r.do("update", id, "--reset=name"); strings.Contains(out, "(default:") {
		t.Errorf("update --reset left\n%s", out)
	}
}

func TestUsageOnTheCommandLine(t *testing.T) {
	r := serveIn(t, t.TempDir())
	app := r.create()
	c := r.connect(app.Keys[0].Key)
	if err := wsutil.WriteClientText(c.conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)); err != nil {
		t.Fatal(err)
	}
	c.expect("pusher_internal:subscription_succeeded")
	r.trigger(app.ID, app.Keys[0].Key, app.Keys[0].Secret)
	c.expect("hello")
	for _, out := range []string{r.do("usage", app.ID), r.do("usage")} {
		if lines := strings.Split(out, "\n"); len(strings.Fields(lines[0])) != 9 || strings.Join(strings.Fields(lines[1])[len(strings.Fields(lines[1]))-5:], " ") != "1 1 0 1 1" {
			t.Errorf("usage printed\n%s", out)
		}
	}
	if out := r.do("usage", app.ID, "--json"); !strings.Contains(out, `"total":{"peak_connections":1,"backend_events":1,"client_events":0,"deliveries":1,"requests":1}`) {
		t.Errorf("usage --json printed %s", out)
	}
}

func TestLimitsThroughTheService(t *testing.T) {
	r := serveIn(t, t.TempDir(), "--connection-attempts-per-minute=2")
	app := r.create("--limits-backend-events-per-second=1", "--limits-connections=1")
	key, secret := app.Keys[0].Key, app.Keys[0].Secret
	refused := 0
	for range 5 { // as fast as processes start, which is more than one in a second
		if strings.Contains(r.trigger(app.ID, key, secret), "429 Too Many Requests: Too many requests.") {
			refused++
		}
	}
	if refused == 0 {
		t.Error("five events at once were all accepted, and one in a second is allowed")
	}
	r.connect(key)
	r.dial(key).expectClosed(4004)
	_, _, _, err := ws.Dial(t.Context(), "ws://"+r.plain+"/app/"+key+"?protocol=7")
	if status, ok := errors.AsType[ws.StatusError](err); !ok || int(status) != http.StatusTooManyRequests {
		t.Errorf("the third attempt = %v, want status 429", err)
	}
	for _, want := range []string{"belfry_connection_attempts_refused_total 1\n", `belfry_apps{source="store"} 2`, `belfry_connections_refused_total{code="4004"} 1`} {
		if _, metrics := get(t, "http://"+r.admin+"/metrics"); !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
}

func TestOneDataDirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	serveIn(t, dir)
	status, _, err := runCommand(t, setup{dir: dir}, append([]string{"serve"}, onEphemeralPorts...)...)
	if status != 1 || !strings.Contains(err, "another process uses the data directory") {
		t.Errorf("a second serve = %d %s", status, err)
	}
}

func TestAppsErrorsSayWhatToDo(t *testing.T) {
	r := serveIn(t, t.TempDir())
	empty, closed := t.TempDir(), unusedAddress(t)
	admin := "BELFRY_ADMIN_URL=http://" + r.admin
	for name, tt := range map[string]struct {
		s      setup
		args   []string
		status int
		want   []string
	}{
		"nothing there":         {setup{env: []string{"BELFRY_ADMIN_URL=http://" + closed, "BELFRY_ADMIN_TOKEN=x"}}, []string{"list"}, 1, []string{"nothing listens on http://" + closed, "admin.listen"}},
		"another port":          {setup{env: []string{"BELFRY_ADMIN_URL=http://" + r.plain, "BELFRY_ADMIN_TOKEN=x"}}, []string{"list"}, 1, []string{"is http://" + r.plain + " the administration port"}},
		"wrong token":           {setup{env: []string{admin, "BELFRY_ADMIN_TOKEN=hunter2"}}, []string{"list"}, 1, []string{"does not know the token (from BELFRY_ADMIN_TOKEN)"}},
		"no token here":         {setup{dir: empty, env: []string{admin}}, []string{"list"}, 1, []string{"does not know the token (from belfry dev)"}},
		"no token elsewhere":    {setup{dir: empty, env: []string{"BELFRY_ADMIN_URL=http://example.com:6002"}}, []string{"list"}, 2, []string{"set BELFRY_ADMIN_TOKEN"}},
		"no file":               {setup{env: []string{admin}}, []string{"list", "--token-file=nowhere"}, 1, []string{"nowhere: no such file"}},
		"no directory":          {setup{env: []string{admin, "BELFRY_DATA_DIR=nowhere"}}, []string{"list"}, 1, []string{"nowhere/admin-token: no such file"}},
		"odd URL":               {setup{}, []string{"list", "--admin=6002"}, 2, []string{"--admin is not a URL such as http://127.0.0.1:6002"}},
		"no such command":       {setup{}, []string{"lsit"}, 2, []string{"there is no belfry apps lsit"}},
		"no app":                {setup{}, []string{"show"}, 2, []string{"the app is missing: belfry apps show APP"}},
		"too much":              {setup{}, []string{"show", "1", "2"}, 2, []string{`"2" is not expected`}},
		"no key":                {setup{}, []string{"revoke", "1"}, 2, []string{"the key is missing"}},
		"nothing to change":     {setup{dir: r.dir, env: []string{admin}}, []string{"update", "1"}, 2, []string{"what is to change?"}},
		"mistake":               {setup{dir: r.dir, env: []string{admin}}, []string{"update", "1", "--limits-connections=many"}, 2, []string{`--limits-connections: "many" is not a whole number`}},
		"unknown flag":          {setup{}, []string{"create", "--client-event"}, 2, []string{"unknown flag --client-event; did you mean --client-events?"}},
		"unknown setting":       {setup{dir: r.dir, env: []string{admin}}, []string{"update", "1", "--reset=limits.conections"}, 2, []string{"did you mean limits.connections?"}},
		"mistake of the server": {setup{dir: r.dir, env: []string{admin}}, []string{"create", "--app-id=1", "--key=a"}, 1, []string{"There are mistakes in the settings.", "keys[0].secret: is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, err := runCommand(t, tt.s, append([]string{"apps"}, tt.args...)...)
			if status != tt.status || out != "" {
				t.Errorf("status = %d, output %q, want %d and none\n%s", status, out, tt.status, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err, want) {
					t.Errorf("it says %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err, "hunter") {
				t.Errorf("it repeats the token: %q", err)
			}
		})
	}
}

// rawRequest sends what is no request of a library, and returns the first line
// of the answer.
func rawRequest(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}
