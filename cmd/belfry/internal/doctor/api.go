package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// eventName is that of the events that are sent.
const eventName = "belfry-doctor"

const (
	// clockWindow is by how much the clock of a backend may be wrong.
	clockWindow = 600 * time.Second
	// clockWarning is from where on a clock is not synchronized.
	clockWarning = 5 * time.Second
)

// An apiReply is an answer of the HTTP API, of whatever status.
type apiReply struct {
	status int
	header http.Header
	body   string
	sent   time.Time
	came   time.Time
	prefix bool // the prefix was part of what was signed
}

// backend returns a client of the HTTP API.
func (e *examination) backend(signPrefix bool) (*backend.Client, error) {
	return backend.New(backend.Config{
		AppID: e.cfg.AppID, Key: e.cfg.Key, Secret: e.cfg.Secret,
		Host: e.cfg.Base.Host, Insecure: e.cfg.Base.Scheme == "http",
		BasePath: e.cfg.Base.Path, SignBasePath: signPrefix,
		Timeout: e.cfg.Timeout, Retries: -1,
		TLSConfig:   e.tlsConfig(),
		LibraryName: e.cfg.Agent,
	})
}

// clock compares the time of the service with ours. Its answer to a request
// without a signature has it as well.
func (e *examination) clock(ctx context.Context) Finding {
	reply, err := e.unsigned(ctx)
	if err != nil {
		return failed("the HTTP API does not answer: "+cause(err), "clients connect and backends do not; a proxy in front must pass on /apps too")
	}
	date, err := http.ParseTime(reply.header.Get("Date"))
	if err != nil {
		return skipped("the answer has no Date")
	}
	// A Date has no fractions: it is half a second early on average.
	offset := date.Add(500 * time.Millisecond).Sub(reply.sent.Add(reply.came.Sub(reply.sent) / 2)).Round(time.Second)
	text := fmt.Sprintf("the clock of the service is %s of the one of this machine", ahead(offset))
	advice := "synchronize both with NTP"
	switch {
	case offset.Abs() >= clockWindow:
		return failed(text, advice+"; signatures of this machine are refused from 10 minutes on")
	case offset.Abs() >= clockWarning:
		return warning(text, advice+"; from 10 minutes on signatures are refused")
	}
	return ok("the clocks of the service and of this machine agree to the second")
}

func ahead(d time.Duration) string {
	if d < 0 {
		return (-d).String() + " behind that"
	}
	return d.String() + " ahead"
}

// unsigned asks the HTTP API for something without a signature.
func (e *examination) unsigned(ctx context.Context) (*apiReply, error) {
	u := *e.cfg.Base
	id := e.cfg.AppID
	if id == "" {
		id = "1"
	}
	u.Path, u.RawPath = u.Path+"/apps/"+id+"/channels", u.EscapedPath()+"/apps/"+url.PathEscape(id)+"/channels"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header = e.header()
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: e.tlsConfig(), DisableKeepAlives: true, ForceAttemptHTTP2: true}
	sent := time.Now()
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	came := time.Now()
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return &apiReply{status: resp.StatusCode, header: resp.Header, sent: sent, came: came}, nil
}

// signature asks for the channels of the app, signed with and without the
// prefix: some proxies take it away.
func (e *examination) signature(ctx context.Context) Finding {
	if e.cfg.Key == "" || e.cfg.Secret == "" || e.cfg.AppID == "" {
		return skipped("it needs the id, the key and the secret of an app: BELFRY_URL=https://KEY:SECRET@HOST/apps/APP_ID")
	}
	first, err := e.signed(ctx, true)
	if err == nil && first.status == http.StatusUnauthorized && e.cfg.Base.Path != "" {
		if second, err := e.signed(ctx, false); err == nil && second.status == http.StatusOK {
			e.answer = second
			return ok("a signed request is accepted; what is signed is the path without the prefix %s", e.cfg.Base.Path)
		}
	}
	if err != nil {
		return failed("the HTTP API does not answer: "+cause(err), "see the address of the HTTP API")
	}
	if first.status != http.StatusOK {
		return e.unsignable(first)
	}
	e.answer = first
	return ok("a signed request is accepted")
}

// signed makes a request that changes nothing.
func (e *examination) signed(ctx context.Context, prefix bool) (*apiReply, error) {
	c, err := e.backend(prefix)
	if err != nil {
		return nil, err
	}
	defer c.CloseIdleConnections()
	reply := &apiReply{prefix: prefix, sent: time.Now()}
	response, err := c.Get(ctx, "/channels", url.Values{"filter_by_prefix": {"belfry-doctor-"}})
	reply.came = time.Now()
	if refused, ok := errors.AsType[*backend.APIError](err); ok {
		reply.status, reply.header, reply.body = refused.Status, refused.Header, string(refused.Body)
		return reply, nil
	}
	if err != nil {
		return nil, transportCause(err)
	}
	reply.status, reply.header = response.Status, response.Header
	return reply, nil
}

// transportCause is why there was no answer, without the URL.
func transportCause(err error) error {
	if e, ok := errors.AsType[*backend.TransportError](err); ok {
		return e.Err
	}
	return err
}

// unsignable says why a signed request was refused.
func (e *examination) unsignable(r *apiReply) Finding {
	text := printable(r.body)
	detail := fmt.Sprintf("a signed request was answered with %d %s: %s", r.status, http.StatusText(r.status), text)
	switch {
	case strings.Contains(text, "Timestamp expired"):
		return failed(detail, "synchronize the clock of this machine and of the service with NTP")
	case strings.Contains(text, "Unknown auth_key"):
		return failed(detail, "the app "+e.cfg.AppID+" has no key "+e.cfg.Key+"; see belfry apps list on the server")
	case r.status == http.StatusUnauthorized && strings.Contains(r.body, "HmacSHA256Hex(") && !strings.Contains(r.body, e.cfg.Base.Path+"/apps/"+e.cfg.AppID+"/channels"):
		return failed(detail, "the service sees another path than the one that was signed: a proxy rewrites it. Pass it on as it comes (in nginx, proxy_pass without a path)")
	case r.status == http.StatusUnauthorized:
		return failed(detail, "the secret is not that of the key "+e.cfg.Key+"; a secret that was copied may have lost a character")
	case r.status == http.StatusMisdirectedRequest:
		return failed(detail, "this is the administration port of Belfry; give the port for clients and backends")
	case r.status == http.StatusNotFound:
		return failed(detail, "nothing is known under /apps: a proxy in front must pass it on, with the prefix if the service has one")
	case r.status/100 == 3:
		return failed(detail, "backends do not follow redirects, because the signature would not be right; give the address that it leads to")
	case r.status >= 500:
		return failed(detail, "the service, or what a proxy in front takes for it, is down or overloaded; see its log")
	}
	return failed(detail, "the HTTP API refuses what it should accept; see the log of the service")
}

// trigger sends an event to the channel of the examination.
func (e *examination) trigger(ctx context.Context) Finding {
	if err := e.send(ctx, e.channel); err != nil {
		return e.notTriggered(err)
	}
	return ok("an event on %s was accepted", e.channel)
}

// send triggers an event.
func (e *examination) send(ctx context.Context, channel string) error {
	c, err := e.backend(e.answer.prefix)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	_, err = c.Post(ctx, "/events", map[string]string{"name": eventName, "channel": channel, "data": `{"from":"belfry doctor"}`})
	return err
}

// notTriggered says why an event was not accepted, though a query was.
func (e *examination) notTriggered(err error) Finding {
	refused, ok := errors.AsType[*backend.APIError](err)
	if !ok {
		return failed("the event had no answer: "+cause(transportCause(err)), "a query is answered and a POST is not; see the log of a proxy in front")
	}
	detail := fmt.Sprintf("the event was answered with %d %s: %s", refused.Status, http.StatusText(refused.Status), printable(string(refused.Body)))
	switch refused.Status {
	case http.StatusRequestEntityTooLarge:
		return failed(detail, "a proxy or the app limits the size of requests; in nginx, client_max_body_size 1m")
	case http.StatusTooManyRequests:
		return failed(detail, "the app has used up its events; see its limits")
	case http.StatusUnauthorized:
		return failed(detail, "queries are accepted and events are not: something on the way changes the body or the method")
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return failed(detail, "a proxy or firewall in front lets no POST through to /apps")
	}
	return failed(detail, "see the log of the service")
}
