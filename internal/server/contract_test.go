package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/apps"
)

// A described is the admin API of a node, whose answers are held against
// openapi.yaml.
type described struct {
	t     *testing.T
	node  *Server
	check func(r *http.Request, status int, header http.Header, body []byte) error
}

func newDescribed(t *testing.T, node *Server) *described {
	doc, err := openapi3.NewLoader().LoadFromData(admin.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // the port is another
	routes, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	check := func(r *http.Request, status int, header http.Header, body []byte) error {
		route, params, err := routes.FindRoute(r)
		if err != nil {
			return err
		}
		input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
		if status < 300 {
			if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
				return err
			}
		}
		return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: options,
		})
	}
	return &described{t, node, check}
}

// call sends a request and checks its answer.
func (d *described) call(method, path, body string, status int, want string) []byte {
	d.t.Helper()
	build := func() *http.Request {
		r, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.node.AdminAddr().String()+path, strings.NewReader(body))
		if err != nil {
			d.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+d.node.cfg.AdminToken)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Close = true
		return r
	}
	response, err := http.DefaultClient.Do(build())
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if response.StatusCode != status || !strings.Contains(string(text), want) {
		d.t.Errorf("%s %s = %d %s, want %d and %s", method, path, response.StatusCode, text, status, want)
	}
	if err := d.check(build(), response.StatusCode, response.Header, text); err != nil {
		d.t.Errorf("%s %s is not as described: %v\n%s", method, path, err, text)
	}
	return text
}

// TestWebhooksAreDescribed is about the part of the admin API that package
// webhook serves; package admin tests its own.
func TestWebhooksAreDescribed(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	defer receiver.Close()
	hook := apps.NewWebhook()
	hook.ID, hook.URL, hook.Events = "main", receiver.URL, apps.ChannelOccupied
	app := apps.New()
	app.ID, app.Keys, app.Webhooks = "1", []apps.Key{{Key: "k", Secret: "s"}}, []apps.Webhook{hook}
	node, err := New(Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", AdminToken: "0123456789abcdef", Apps: []*apps.App{app},
		Webhooks: Webhooks{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	d := newDescribed(t, node)
	d.call("GET", "/api/v1/push/providers?app=1", "", 409, "No app has push notifications")
	d.call("GET", "/api/v1/push/providers", "", 400, "Name the app")
	d.call("POST", "/api/v1/push/test", `{"app":"1","device":"x"}`, 409, "No app has push notifications")
	d.call("GET", "/api/v1/webhooks", "", 200, `"endpoint":"main"`)
	d.call("GET", "/api/v1/webhooks?app=2", "", 404, "no such app")
	d.call("GET", "/api/v1/webhooks?apps=1", "", 400, "did you mean app?")
	d.call("GET", "/api/v1/webhooks/dead-letters?app=1&endpoint=main", "", 200, `"dead_letters":[]`)
	d.call("GET", "/api/v1/webhooks/dead-letters?after=x", "", 400, "after is not")
	d.call("POST", "/api/v1/webhooks/replay", `{"ids":[7]}`, 200, `"missing":[7]`)
	d.call("POST", "/api/v1/webhooks/replay", `{"id":7}`, 400, "is unknown")
	d.call("POST", "/api/v1/webhooks/test", `{"app":"1"}`, 200, `"status":418`)
	d.call("POST", "/api/v1/webhooks/test", `{"app":"1","endpoint":"x"}`, 404, "no such endpoint")
	d.call("GET", "/api/v1/apps/1", "", 200, `"source":"configuration"`)
}
