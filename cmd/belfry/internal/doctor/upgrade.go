package doctor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// nginxUpgrade is what makes nginx pass an upgrade on.
const nginxUpgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"

// A response is what came instead of a WebSocket.
type response struct {
	status   int
	server   string // who says that it answered
	location string // without what may be secret
	body     string // the start of it
}

// upgrade asks for a WebSocket. If it gets none, it asks again without the
// headers of an upgrade: an answer that is the same means that they were lost
// on the way.
func (e *examination) upgrade(ctx context.Context) Finding {
	got, err := e.ask(ctx, true)
	if err != nil {
		return e.noAnswer(err)
	}
	if got.status == http.StatusSwitchingProtocols {
		return ok("%s", "HTTP is upgraded to WebSocket"+by(got.server))
	}
	plain, err := e.ask(ctx, false)
	e.wrong = got.status == http.StatusMisdirectedRequest
	same := err == nil && plain.status == got.status && plain.body == got.body
	detail, advice := e.explain(got, same)
	return failed(detail, advice)
}

// ask requests the address of clients, and returns the answer without waiting
// for what follows it.
func (e *examination) ask(ctx context.Context, upgrade bool) (response, error) {
	key := e.cfg.Key
	if key == "" {
		key = "belfry-doctor"
	}
	u := *e.cfg.Base
	u.Path, u.RawPath = u.Path+"/app/"+key, u.EscapedPath()+"/app/"+url.PathEscape(key)
	u.RawQuery = "protocol=7&client=belfry-doctor&version=1"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return response{}, err
	}
	r.Header = e.header()
	if upgrade {
		var nonce [16]byte
		rand.Read(nonce[:]) // never fails
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(nonce[:]))
	}
	tlsConfig := e.tlsConfig()
	tlsConfig.NextProtos = []string{"http/1.1"}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, DisableKeepAlives: !upgrade}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(r)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	got := response{status: resp.StatusCode, server: resp.Header.Get("Server")}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return got, nil
	}
	if to, err := resp.Location(); err == nil {
		got.location = to.Scheme + "://" + to.Host + to.Path
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what there is of it
	got.body = string(body)
	return got, nil
}

// noAnswer says why a request had no answer.
func (e *examination) noAnswer(err error) Finding {
	if errors.Is(err, context.DeadlineExceeded) {
		return failed(fmt.Sprintf("no answer to the upgrade within %s", e.cfg.Timeout),
			"a proxy that waits for the end of an answer never passes this one on; let it pass upgrades: "+nginxUpgrade)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "malformed HTTP") {
		return failed("the connection was closed without an answer in HTTP", "is this the port for clients? One that speaks TLS wants https://")
	}
	return failed("no answer to the upgrade: "+err.Error(), "look at the logs of the service and of a proxy in front of it")
}

// explain says why an answer is no WebSocket. Same means that a request
// without the headers of an upgrade gets the same one.
func (e *examination) explain(r response, same bool) (detail, advice string) {
	detail = fmt.Sprintf("the answer is %d %s instead of a WebSocket%s", r.status, http.StatusText(r.status), by(r.server))
	lower := strings.ToLower(r.body)
	switch {
	case r.status/100 == 3:
		return detail + ", with Location: " + r.location, "give that address; clients do not follow redirects of a WebSocket"
	case r.status == http.StatusMisdirectedRequest:
		return detail, "this is the administration port of Belfry; give the port for clients, by default 6001"
	case e.cfg.Base.Scheme == "http" && strings.Contains(lower, "https"):
		return detail, "this port speaks TLS; write https:// instead of http://"
	case r.status == http.StatusUpgradeRequired, same && r.status == http.StatusBadRequest:
		return detail + ": the headers of the upgrade did not arrive", "a proxy in front does not pass on Upgrade. In nginx: " + nginxUpgrade
	case r.status == http.StatusBadGateway, r.status == http.StatusServiceUnavailable, r.status == http.StatusGatewayTimeout:
		return detail, "the proxy in front does not reach the service; compare its upstream address with the one the service listens on"
	case r.status == http.StatusTooManyRequests:
		return detail, "too many attempts to connect came from this address; wait a minute"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return detail, "something in front asks for a login or blocks the request; exempt the paths of the service from it"
	case r.status == http.StatusNotFound:
		return detail, "nothing is known under this path. A prefix belongs into the address, as in https://host/prefix; a proxy in front must pass on /app, /apps and /pusher"
	case r.status/100 == 2:
		return detail, "a web server answers here; have it pass on /app, /apps and /pusher to the service, with " + nginxUpgrade
	}
	if same {
		return detail + ": just as to a request without the headers of the upgrade", "a proxy in front does not pass on Upgrade. In nginx: " + nginxUpgrade
	}
	return detail, "look at the logs of the service and of a proxy in front of it"
}

// by names the server that answered, if it says so.
func by(server string) string {
	if server == "" {
		return ""
	}
	return ", answered by " + printable(server)
}

// printable is text of a stranger on one line, cut at 300 characters.
func printable(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(clean); len(runes) > 300 {
		clean = string(runes[:300]) + "…"
	}
	return strings.TrimSpace(clean)
}
