// Package adminclient speaks to the admin API of one service, for its operator.
//
// It finds the service and its token, asks, and says what a refusal means to a
// person at the command line. What the answers tell is left to its callers, and
// so are flags and texts of help.
//
// The package takes no locks. A [Client] is not changed once it was found.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/reach"
)

// Paths of the API.
const (
	AppsPath     = "/api/v1/apps"
	UsagePath    = "/api/v1/usage"
	WebhooksPath = "/api/v1/webhooks"
	ClusterPath  = "/api/v1/cluster"
	DrainPath    = "/api/v1/drain"
	CodePath     = "/api/v1/session/code"
	TokensPath   = "/api/v1/tokens"
	AuditPath    = "/api/v1/audit"
)

// AppPath is that of one app.
func AppPath(id string) string { return AppsPath + "/" + url.PathEscape(id) }

// A Client speaks to one service.
type Client struct {
	base  *url.URL
	token string
	from  string // where the token comes from
}

// URL is an address below the service's administration port.
func (c Client) URL(path string) *url.URL { return c.base.JoinPath(path) }

// A Request is what a service is asked.
type Request struct {
	Method   string // empty: GET
	Path     string // escaped
	Query    url.Values
	Body     any    // written as JSON; nil: none
	Revision uint64 // the only one that may be changed; zero: any
}

// Call asks the service for something and returns its answer, which is JSON or
// nothing.
func (c Client) Call(ctx context.Context, q Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, reach.Timeout)
	defer cancel()
	r, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	response, err := noRedirects.Do(r)
	if err != nil {
		return nil, c.explainUnreachable(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, c.explainUnreachable(err)
	}
	if response.StatusCode/100 != 2 {
		return nil, c.explainStatus(response, reply)
	}
	return bytes.TrimSpace(reply), nil
}

func (c Client) request(ctx context.Context, q Request) (*http.Request, error) {
	var body io.Reader
	if q.Body != nil {
		text, err := json.Marshal(q.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	address := c.base.String() + q.Path
	if len(q.Query) > 0 {
		address += "?" + q.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, address, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.Revision != 0 {
		r.Header.Set("If-Match", fmt.Sprintf(`"%d"`, q.Revision))
	}
	return r, nil
}

// noRedirects follows none: the token is for the address that was given.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Read reads an answer, or a part of one.
func Read(reply []byte, into any) error {
	if err := json.Unmarshal(reply, into); err != nil {
		return fmt.Errorf("the answer of the service can not be read: %w", err)
	}
	return nil
}

// dialTimeout bounds how long it takes to find out whether a service is there.
const dialTimeout = 5 * time.Second

// Gone reports whether nothing listens any more where the service was.
func (c Client) Gone(ctx context.Context) bool {
	port := c.base.Port()
	if port == "" {
		port = c.base.Scheme
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.base.Hostname(), port))
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func (c Client) explainUnreachable(err error) error {
	return fmt.Errorf("%w\nthe administration port is the one of admin.listen; name it with --admin or BELFRY_ADMIN_URL", reach.Explain(c.base, err))
}

// explainStatus says what the service objects to.
func (c Client) explainStatus(response *http.Response, reply []byte) error {
	var problem struct {
		Detail   string
		Mistakes []struct{ Name, Text string }
	}
	if response.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("the service does not know the token (from %s)\nset BELFRY_ADMIN_TOKEN, or give --token-file or the --data-dir of the service", c.from)
	}
	if json.Unmarshal(reply, &problem) != nil || problem.Detail == "" {
		return fmt.Errorf("the service answered %s: is %s the administration port of a Belfry?", response.Status, c.base)
	}
	lines := []string{problem.Detail}
	for _, m := range problem.Mistakes {
		lines = append(lines, m.Name+": "+m.Text)
	}
	return errors.New(strings.Join(lines, "\n"))
}
