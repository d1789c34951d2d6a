package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

const (
	requestTimeout = 15 * time.Second
	maxReply       = 1 << 20
)

// An event is what a backend triggers.
type event struct {
	Name     string `json:"name"`
	Channel  string `json:"channel"`
	Data     string `json:"data"`
	SocketID string `json:"socket_id,omitempty"`
	Info     string `json:"info,omitempty"`
}

// trigger sends an event through the HTTP API and returns the answer, which
// is a JSON object.
func (t target) trigger(ctx context.Context, e event) ([]byte, error) {
	body := jsonBytes(e)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.signed("/apps/"+t.appID+"/events", body), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Pusher-Library", "belfry-cli "+version)
	response, err := plainClient.Do(request)
	if err != nil {
		return nil, t.explainUnreachable(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return nil, t.explainUnreachable(err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, t.explainStatus(response, reply)
	}
	return bytes.TrimSpace(reply), nil
}

// plainClient follows no redirects, because the signature would not be that
// of the other path.
var plainClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// signed returns the URL of a POST with that body.
func (t target) signed(path string, body []byte) string {
	sum := md5.Sum(body)
	params := []protocol.Param{
		{Key: "auth_key", Value: t.pair.Key},
		{Key: "auth_timestamp", Value: strconv.FormatInt(time.Now().Unix(), 10)},
		{Key: "auth_version", Value: "1.0"},
		{Key: "body_md5", Value: hex.EncodeToString(sum[:])},
	}
	u := *t.base
	u.Path += path
	query := url.Values{}
	for _, p := range params {
		query.Set(p.Key, p.Value)
	}
	query.Set("auth_signature", protocol.Sign(t.pair.Secret, protocol.RequestText(http.MethodPost, u.EscapedPath(), params)))
	u.RawQuery = query.Encode()
	return u.String()
}

// explainUnreachable says what to do when there was no answer.
func (t target) explainUnreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // e itself prints the URL with its signature
	}
	where := t.base.Scheme + "://" + t.base.Host
	_, noSuchHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens on %s; is belfry running there, on that port? (belfry dev starts one for trying out)", where)
	case noSuchHost:
		return fmt.Errorf("there is no host named %s", t.base.Hostname())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %s; is a firewall between here and there?", where, requestTimeout)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s does not speak TLS; write http:// instead of https://", where)
	}
	return fmt.Errorf("%s can not be reached: %w", where, err)
}

// explainStatus says what the service objects to, and what to do about it.
func (t target) explainStatus(response *http.Response, reply []byte) error {
	text := strings.TrimSpace(string(reply[:min(len(reply), 1000)]))
	advice := ""
	switch {
	case response.StatusCode/100 == 3:
		text, advice = "Location: "+response.Header.Get("Location"), "give that address with --url"
	case strings.HasPrefix(text, "Invalid signature"):
		advice = "the secret is not the one of the key " + t.pair.Key
	case strings.HasPrefix(text, "Timestamp expired"):
		advice = "the clock of this machine or of the server is wrong"
	case strings.HasPrefix(text, "Unknown auth_key"):
		advice = fmt.Sprintf("there is no app %q with the key %q; see belfry check on the server", t.appID, t.pair.Key)
	case strings.HasPrefix(text, "Cannot retrieve the subscription count"):
		advice = "set subscription_count: true for the app, or leave it out of --info"
	case response.StatusCode == http.StatusNotFound:
		advice = "is the address right? A path prefix belongs in front of /apps"
	case response.StatusCode == http.StatusServiceUnavailable:
		advice = "it is overloaded or stopping; try again"
	}
	if advice != "" {
		advice = "\n" + advice
	}
	return fmt.Errorf("the service answered %s: %s%s", response.Status, text, advice)
}
