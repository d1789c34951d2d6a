package pushtest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"time"
)

// discard is the log of servers whose clients are made to go away.
var discard = log.New(io.Discard, "", 0)

// FCM is Google: its tokens, and its messages. Accounts come from [FCM.ServiceAccount].
type FCM struct {
	recorder
	*httptest.Server

	// Expires is how long access tokens are valid; zero: an hour.
	Expires time.Duration
	// Now is the clock of Google; nil: that of the machine.
	Now func() time.Time

	keys   mutexed[map[string]*rsa.PublicKey] // of service accounts, by email
	issued mutexed[map[string]time.Time]      // access tokens, and their end
	refuse mutexed[*Fault]                    // of requests for tokens
	asked  mutexed[int]
}

// mutexed is a value and its lock.
type mutexed[T any] struct {
	mu sync.Mutex
	v  T
}

// Start begins to serve, over TLS. Call Close at the end.
func (g *FCM) Start() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.token)
	mux.HandleFunc("POST /v1/projects/{project}/{call}", g.send)
	g.Server = httptest.NewUnstartedServer(mux)
	g.EnableHTTP2 = true
	g.Config.ErrorLog = discard
	g.StartTLS()
}

func (g *FCM) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

// TokensAsked is how often an access token was asked for.
func (g *FCM) TokensAsked() int {
	g.asked.mu.Lock()
	defer g.asked.mu.Unlock()
	return g.asked.v
}

// FailTokens has requests for access tokens fail; nil ends that.
func (g *FCM) FailTokens(f *Fault) {
	g.refuse.mu.Lock()
	defer g.refuse.mu.Unlock()
	g.refuse.v = f
}

// Revoke makes all access tokens invalid.
func (g *FCM) Revoke() {
	g.issued.mu.Lock()
	defer g.issued.mu.Unlock()
	clear(g.issued.v)
}

// token answers requests for access tokens.
func (g *FCM) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	g.asked.mu.Lock()
	g.asked.v++
	n := g.asked.v
	g.asked.mu.Unlock()
	g.refuse.mu.Lock()
	f := g.refuse.v
	g.refuse.mu.Unlock()
	if f != nil {
		f.respond(w, r, func() string { return fmt.Sprintf(`{"error":%q}`, f.Reason) })
		return
	}
	if why := g.checkAssertion(r); why != "" {
		g.wrong(why)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, why)
		return
	}
	lasts := g.Expires
	if lasts == 0 {
		lasts = time.Hour
	}
	token := fmt.Sprintf("ya29.access-%d", n)
	g.issued.mu.Lock()
	if g.issued.v == nil {
		g.issued.v = make(map[string]time.Time)
	}
	g.issued.v[token] = g.now().Add(lasts)
	g.issued.mu.Unlock()
	fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d,"token_type":"Bearer"}`, token, int(lasts.Seconds()))
}

func (g *FCM) checkAssertion(r *http.Request) string {
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return "the grant type is another one"
	}
	header, claims, signed, signature, err := jwtParts(r.PostForm.Get("assertion"))
	if err != nil {
		return "the assertion is not a token"
	}
	g.keys.mu.Lock()
	key := g.keys.v[fmt.Sprint(claims["iss"])]
	g.keys.mu.Unlock()
	digest := sha256.Sum256([]byte(signed))
	now := g.now()
	issued, ends := seconds(claims, "iat"), seconds(claims, "exp")
	switch {
	case header["alg"] != "RS256" || header["kid"] != keyID:
		return "the header of the assertion is wrong"
	case key == nil:
		return "Invalid grant: account not found"
	case rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil:
		return "Invalid JWT Signature."
	case claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging":
		return "the scope is wrong"
	case claims["aud"] != g.URL+"/token":
		return "the audience is wrong"
	case ends.Sub(issued) > time.Hour+time.Minute || ends.Before(now) || issued.Sub(now) > 5*time.Minute:
		return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
	}
	return ""
}

// send answers requests to send a message.
func (g *FCM) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
	if r.PathValue("call") != "messages:send" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	g.issued.mu.Lock()
	ends, known := g.issued.v[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	g.issued.mu.Unlock()
	if !known || g.now().After(ends) {
		googleError(w, http.StatusUnauthorized, "UNAUTHENTICATED", "", "")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	token, field := checkMessage(body)
	if field != "" {
		g.wrong(field)
		googleError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "", field)
		return
	}
	f := g.fault(token, r.RemoteAddr)
	if f == nil {
		f = googleFault(token)
	}
	if f != nil && !f.respond(w, r, func() string { return googleText(f.Status, statusOf(f.Reason), f.Reason, "") }) {
		return
	}
	g.accept(Delivery{token, r.Header.Clone(), body, r.PathValue("project"), r.RemoteAddr})
	if f != nil && f.Reset {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"name":"projects/%s/messages/0:%x"}`, r.PathValue("project"), sha256.Sum256(body))
}

// googleFault is the fault that stands in a token.
func googleFault(token string) *Fault {
	switch {
	case strings.HasSuffix(token, "-gone"):
		return &Fault{Status: http.StatusNotFound, Reason: "UNREGISTERED"}
	case strings.HasSuffix(token, "-bad"):
		return &Fault{Status: http.StatusBadRequest, Reason: "INVALID_ARGUMENT"}
	case strings.HasSuffix(token, "-mismatch"):
		return &Fault{Status: http.StatusForbidden, Reason: "SENDER_ID_MISMATCH"}
	}
	return nil
}

// statusOf is the status of Google that goes with an error code of FCM.
func statusOf(code string) string {
	switch code {
	case "UNREGISTERED":
		return "NOT_FOUND"
	case "SENDER_ID_MISMATCH":
		return "PERMISSION_DENIED"
	case "QUOTA_EXCEEDED":
		return "RESOURCE_EXHAUSTED"
	}
	return code
}

func googleError(w http.ResponseWriter, status int, word, code, field string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, googleText(status, word, code, field)) // a client that has gone is its own
}

func googleText(status int, word, code, field string) string {
	details := []map[string]any{}
	if code != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
	}
	if field != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []map[string]string{{"field": field, "description": "Invalid value"}}})
	}
	text, _ := json.Marshal(map[string]any{"error": map[string]any{"code": status, "status": word, "message": "as the test wants it", "details": details}})
	return string(text)
}

// v1 is what a message of HTTP v1 may have, as far as anybody here may use it.
type v1 struct {
	ValidateOnly bool `json:"validate_only"`
	Message      struct {
		Token        string            `json:"token"`
		Name         string            `json:"name"`
		Data         map[string]string `json:"data"`
		Notification *struct {
			Title string `json:"title"`
			Body  string `json:"body"`
			Image string `json:"image"`
		} `json:"notification"`
		Android *struct {
			CollapseKey           string            `json:"collapse_key"`
			Priority              string            `json:"priority"`
			TTL                   string            `json:"ttl"`
			RestrictedPackageName string            `json:"restricted_package_name"`
			Data                  map[string]string `json:"data"`
			Notification          *struct {
				Title        string   `json:"title"`
				Body         string   `json:"body"`
				Icon         string   `json:"icon"`
				Color        string   `json:"color"`
				Sound        string   `json:"sound"`
				Tag          string   `json:"tag"`
				Image        string   `json:"image"`
				ClickAction  string   `json:"click_action"`
				BodyLocKey   string   `json:"body_loc_key"`
				BodyLocArgs  []string `json:"body_loc_args"`
				TitleLocKey  string   `json:"title_loc_key"`
				TitleLocArgs []string `json:"title_loc_args"`
				ChannelID    string   `json:"channel_id"`
			} `json:"notification"`
		} `json:"android"`
	} `json:"message"`
}

var ttl = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,9})?s$`)

// checkMessage decodes strictly. It returns the field that is wrong, or the token.
func checkMessage(body []byte) (token, field string) {
	var m v1
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return "", "message: " + err.Error()
	}
	size := 0
	for k, v := range m.Message.Data {
		size += len(k) + len(v)
	}
	a := m.Message.Android
	switch {
	case m.Message.Token == "":
		return "", "message.token"
	case size > 4096:
		return "", "message.data"
	case a == nil:
	case a.TTL != "" && !ttl.MatchString(a.TTL):
		return "", "message.android.ttl"
	case a.Priority != "" && a.Priority != "HIGH" && a.Priority != "NORMAL":
		return "", "message.android.priority"
	}
	return m.Message.Token, ""
}
