package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/belfryhq/belfry/client"
)

// A transport is one that browsers use where WebSocket does not work.
type transport struct {
	name string
	over client.Transport // empty: SockJS, which has the same requests behind a question of its own
}

// fallbacks are in the order in which pusher-js tries them.
var fallbacks = []transport{
	{"xhr_streaming", client.XHRStreaming},
	{"xhr_polling", client.XHRPolling},
	{"sockjs", ""},
}

// fallback connects over one transport and has an event come over it.
func (e *examination) fallback(ctx context.Context, t transport, signed bool) Finding {
	if t.over == "" {
		return e.sockJS(ctx)
	}
	if e.cfg.Key == "" {
		return skipped("it needs the key of an app")
	}
	v, err := e.visit(t.over)
	if err != nil {
		return failed(printable(err.Error()), "see the address and the key")
	}
	defer v.end()
	if _, err := await(ctx, v, v.connected); err != nil {
		return e.noFallback(t, err)
	}
	channel := e.channel + "-" + t.name
	if err := v.join(ctx, channel); err != nil {
		return failed("connected, and the subscription failed: "+cause(err), "what the client sends does not arrive: a proxy must pass on POST below /pusher")
	}
	if !signed {
		return ok("connected and subscribed")
	}
	if err := e.send(ctx, channel); err != nil {
		return failed("connected and subscribed; no event could be triggered", "see the check trigger")
	}
	if _, err := await(ctx, v, v.received); err != nil {
		return failed("connected and subscribed, and the event did not arrive: "+cause(err), buffering)
	}
	return ok("connected, subscribed, and an event arrived")
}

const buffering = "a proxy keeps answers until they end: do not buffer below /pusher (in nginx, proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering)"

// noFallback says why a transport does not connect.
func (e *examination) noFallback(t transport, err error) Finding {
	dial, isDial := errors.AsType[*client.DialError](err)
	switch {
	case isDial && (dial.StatusCode == http.StatusNotFound || dial.StatusCode == http.StatusMethodNotAllowed):
		return skipped("not offered at this address (%d): the service has it switched off or elsewhere, or a proxy does not pass on /pusher", dial.StatusCode)
	case isDial && dial.StatusCode != 0:
		return failed(cause(err), "a proxy in front must pass on POST below /pusher")
	case errors.Is(err, client.ErrHandshakeTimeout), errors.Is(err, context.DeadlineExceeded):
		return failed(fmt.Sprintf("nothing came within %s", e.cfg.Timeout), buffering)
	}
	if _, ok := errors.AsType[*client.CloseError](err); ok {
		return e.refused(err)
	}
	return failed("no connection: "+cause(err), "see the log of a proxy in front")
}

// sockJS asks what a SockJS client asks first.
func (e *examination) sockJS(ctx context.Context) Finding {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.cfg.Base.JoinPath("pusher", "info").String(), nil)
	if err != nil {
		return failed(err.Error(), "see the address")
	}
	r.Header = e.header()
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: e.tlsConfig(), DisableKeepAlives: true, ForceAttemptHTTP2: true}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return failed("no answer: "+cause(err), "see the log of a proxy in front")
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what there is of it
	var info struct {
		Entropy *json.Number `json:"entropy"`
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return skipped("not offered at this address (404)")
	case resp.StatusCode != http.StatusOK:
		return failed(fmt.Sprintf("GET /pusher/info was answered with %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)), "a proxy in front must pass on what is below /pusher")
	case json.Unmarshal(body, &info) != nil || info.Entropy == nil:
		return failed("GET /pusher/info was not answered with JSON of SockJS", "a web server answers there; have it pass on /pusher to the service")
	}
	return ok("GET /pusher/info answers as SockJS wants it")
}
