package fcm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// tokenURL is where Google gives tokens, unless the file names another place.
	tokenURL = "https://oauth2.googleapis.com/token"
	scope    = "https://www.googleapis.com/auth/firebase.messaging"
	// early is how long before its end a token is renewed, if it lasts for longer.
	early = 4 * time.Minute
	// again is how long it is not asked for a token after Google has refused one.
	again = 5 * time.Second
)

// tokens are those by which Google knows a service account.
type tokens struct {
	config *jwt.Config
	over   *watched
	now    func() time.Time

	mu      sync.Mutex
	token   string
	until   time.Time             // when the token is to be renewed
	refused *notification.Outcome // the last answer, if that was no token
	retry   time.Time             // when it is asked again
	asking  chan struct{}         // closed when the one who asks has the answer; nil if nobody does
}

// readServiceAccount reads the file of a service account, and returns its project too.
func readServiceAccount(file []byte) (*jwt.Config, string, error) {
	var account struct {
		Type      string `json:"type"`
		ProjectID string `json:"project_id"`
		TokenURI  string `json:"token_uri"`
		Email     string `json:"client_email"`
		KeyID     string `json:"private_key_id"`
		Key       string `json:"private_key"`
	}
	if err := json.Unmarshal(file, &account); err != nil {
		return nil, "", errors.New("the service account is not the JSON file that Google has made")
	}
	account.TokenURI = cmp.Or(account.TokenURI, tokenURL)
	switch u, err := url.Parse(account.TokenURI); {
	case account.Type != "service_account":
		return nil, "", errors.New("the file is not of a service account: its type is another one")
	case account.ProjectID == "" || account.Email == "":
		return nil, "", errors.New("the service account has no project_id or no client_email")
	case url.PathEscape(account.ProjectID) != account.ProjectID:
		return nil, "", errors.New("the project_id of the service account is not a name")
	case account.TokenURI != tokenURL && (err != nil || u.Scheme != "https" || u.Host == ""):
		return nil, "", errors.New("the token_uri of the service account is not a URL of https")
	}
	if err := checkKey([]byte(account.Key)); err != nil {
		return nil, "", err
	}
	config := &jwt.Config{
		Email: account.Email, PrivateKey: []byte(account.Key), PrivateKeyID: account.KeyID,
		Scopes: []string{scope}, TokenURL: account.TokenURI,
	}
	return config, account.ProjectID, nil
}

// get returns a token, or the outcome of a send that has none. One asks Google, and
// the others wait for the answer.
func (t *tokens) get(ctx context.Context) (string, *notification.Outcome) {
	for {
		t.mu.Lock()
		now := t.now()
		switch {
		case t.token != "" && now.Before(t.until):
			defer t.mu.Unlock()
			return t.token, nil
		case t.refused != nil && now.Before(t.retry):
			defer t.mu.Unlock()
			return "", t.refused
		case t.asking == nil:
			t.asking = make(chan struct{})
			t.mu.Unlock()
			t.ask(ctx)
			continue
		}
		asking := t.asking
		t.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return "", &notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, Reason: "the service is stopping"}
		}
	}
}

// drop forgets a token that Google does not take. It reports whether another one may
// help: so it is once.
func (t *tokens) drop(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
	return t.refused == nil
}

// ask asks Google for a token, and keeps the answer.
func (t *tokens) ask(ctx context.Context) {
	client := &http.Client{Transport: t.over, Timeout: exchange.DefaultTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := t.config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.asking)
	t.asking = nil
	now := t.now()
	if err != nil {
		o := t.explain(err, now)
		t.refused, t.retry = &o, now.Add(again)
		return
	}
	lasts := got.Expiry.Sub(now)
	t.token, t.refused = got.AccessToken, nil
	t.until = got.Expiry.Add(-min(early, lasts/2))
}

// explain says what became of a request for a token. The texts of the library hold the
// whole answer, so that they are not used.
func (t *tokens) explain(err error, now time.Time) notification.Outcome {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil || refused.Response.StatusCode >= 500 || refused.Response.StatusCode == http.StatusTooManyRequests {
		o := notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, Reason: "Google gives no access token"}
		if why := t.over.lastError(); !ok && why != "" {
			o.Reason += ": " + why
		} else if ok && refused.Response != nil {
			o.Reason += fmt.Sprintf(": status %d", refused.Response.StatusCode)
		}
		return o
	}
	var why struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(refused.Body, &why) // or else the status says it
	a := exchange.Answer{Status: refused.Response.StatusCode, Header: refused.Response.Header}
	return notification.Outcome{
		Verdict: notification.BadCredentials,
		Reason:  "Google refuses the service account: " + a.Word(why.Error) + a.Clock(now),
	}
}
