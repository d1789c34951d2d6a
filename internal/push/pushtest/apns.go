package pushtest

import (
	"crypto/ecdsa"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"time"
)

// APNs is one of Apple's hosts. Its zero value knows no team.
type APNs struct {
	recorder
	*httptest.Server

	// Teams are the keys that are known, by "team/key id".
	Teams map[string]*ecdsa.PublicKey
	// Topics are those that may be used; empty: any.
	Topics []string
	// Certificates says that clients may come with a certificate instead of a token.
	Certificates bool
	// Now is the clock of this host; nil: that of the machine.
	Now func() time.Time

	conns2 sync.Map // the token that each connection has last shown, and since when
}

// seen is what a connection has shown.
type seen struct {
	mu    sync.Mutex
	token string
	team  string
	since time.Time
}

// Start begins to serve, over TLS and HTTP/2 alone. Call Close at the end.
func (a *APNs) Start() {
	a.Server = httptest.NewUnstartedServer(a)
	a.EnableHTTP2 = true
	a.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	a.Config.ErrorLog = discard
	a.StartTLS()
}

func (a *APNs) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

var (
	devicePath = regexp.MustCompile(`^/3/device/([0-9a-f]{2,400})$`)
	uuid       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// ServeHTTP implements [http.Handler].
func (a *APNs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", a.now().UTC().Format(http.TimeFormat))
	if r.ProtoMajor != 2 {
		a.wrong("HTTP/1.1")
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	m := devicePath.FindStringSubmatch(r.URL.Path)
	status, reason := a.check(r, body, m)
	w.Header().Set("apns-id", r.Header.Get("apns-id"))
	if reason != "" {
		a.wrong(reason)
		refuse(w, status, reason, 0)
		return
	}
	token := m[1]
	f := a.fault(token, r.RemoteAddr)
	if f == nil {
		f = byToken(token)
	}
	if f != nil && !f.respond(w, r, func() string { return reasonOf(f.Reason, f.Timestamp) }) {
		return
	}
	a.accept(Delivery{token, r.Header.Clone(), body, r.Host, r.RemoteAddr})
	if f != nil && f.Reset {
		panic(http.ErrAbortHandler)
	}
}

// byToken is the fault that stands in a token: its last digits say it.
func byToken(token string) *Fault {
	switch {
	case strings.HasSuffix(token, "dead"):
		return &Fault{Status: http.StatusGone, Reason: "Unregistered", Timestamp: time.Now().Add(time.Hour).UnixMilli()}
	case strings.HasSuffix(token, "0bad"):
		return &Fault{Status: http.StatusBadRequest, Reason: "BadDeviceToken"}
	}
	return nil
}

func refuse(w http.ResponseWriter, status int, reason string, timestamp int64) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, reasonOf(reason, timestamp)) // a client that has gone is its own
}

func reasonOf(reason string, timestamp int64) string {
	if timestamp != 0 {
		return fmt.Sprintf(`{"reason":%q,"timestamp":%d}`, reason, timestamp)
	}
	return fmt.Sprintf(`{"reason":%q}`, reason)
}

// check is what Apple checks; an empty reason is that all is well.
func (a *APNs) check(r *http.Request, body []byte, path []string) (int, string) {
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "MethodNotAllowed"
	case path == nil && strings.HasPrefix(r.URL.Path, "/3/device/"):
		return http.StatusBadRequest, "BadDeviceToken"
	case path == nil:
		return http.StatusNotFound, "BadPath"
	}
	if status, reason := a.authenticate(r); reason != "" {
		return status, reason
	}
	return a.checkHeader(r.Header, body)
}

// authenticate checks the token of a team, or that there is a certificate.
func (a *APNs) authenticate(r *http.Request) (int, string) {
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "bearer ")
	if !found {
		if a.Certificates && len(r.TLS.PeerCertificates) > 0 {
			return 0, ""
		}
		return http.StatusForbidden, "MissingProviderToken"
	}
	_, loose, _, _, err := jwtParts(text)
	if err != nil {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	head, _, _, _, _ := jwtParts(text)
	team := fmt.Sprintf("%v/%v", loose["iss"], head["kid"])
	key := a.Teams[team]
	if key == nil {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	_, claims, err := jwtES256(text, key)
	if err != nil {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	issued := seconds(claims, "iat")
	if now := a.now(); now.Sub(issued) > time.Hour {
		return http.StatusForbidden, expiredToken
	} else if issued.Sub(now) > 5*time.Minute {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	return a.onConnection(r.RemoteAddr, text, team, issued)
}

const expiredToken = "ExpiredProviderToken"

// onConnection checks that a connection is of one team, and that its tokens do not change
// too often.
func (a *APNs) onConnection(conn, token, team string, issued time.Time) (int, string) {
	v, _ := a.conns2.LoadOrStore(conn, &seen{token: token, team: team, since: issued})
	s := v.(*seen)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.team != team:
		return http.StatusForbidden, "InvalidProviderToken"
	case s.token != token && issued.After(s.since) && issued.Sub(s.since) < 20*time.Minute:
		return http.StatusTooManyRequests, "TooManyProviderTokenUpdates"
	case issued.After(s.since):
		s.token, s.since = token, issued
	}
	return 0, ""
}

func (a *APNs) checkHeader(h http.Header, body []byte) (int, string) {
	const bad = http.StatusBadRequest
	topic := h.Get("apns-topic")
	known := len(a.Topics) == 0
	for _, t := range a.Topics {
		known = known || t == topic
	}
	var payload struct {
		APS map[string]any `json:"aps"`
	}
	priority := h.Get("apns-priority")
	switch {
	case topic == "" && h.Get("Authorization") != "":
		return bad, "MissingTopic"
	case !known:
		return bad, "TopicDisallowed"
	case len(h.Get("apns-collapse-id")) > 64:
		return bad, "BadCollapseId"
	case h.Get("apns-id") != "" && !uuid.MatchString(h.Get("apns-id")):
		return bad, "BadMessageId"
	case priority != "" && priority != "10" && priority != "5" && priority != "1":
		return bad, "BadPriority"
	case h.Get("apns-expiration") != "" && !isNumber(h.Get("apns-expiration")):
		return bad, "BadExpirationDate"
	case len(body) == 0:
		return bad, "PayloadEmpty"
	case len(body) > 4096:
		return http.StatusRequestEntityTooLarge, "PayloadTooLarge"
	case json.Unmarshal(body, &payload) != nil || payload.APS == nil:
		return bad, "PayloadEmpty"
	}
	visible := payload.APS["alert"] != nil || payload.APS["badge"] != nil || payload.APS["sound"] != nil
	switch kind := h.Get("apns-push-type"); {
	case kind != "alert" && kind != "background":
		return bad, "InvalidPushType"
	case (kind == "background") == visible:
		return bad, "InvalidPushType"
	case kind == "background" && priority != "5":
		return bad, "BadPriority"
	}
	return 0, ""
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
