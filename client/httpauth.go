package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxAuthAnswer is how long the answer of an authorization endpoint may be, in
// bytes, for each channel that it is about.
const maxAuthAnswer = 64 << 10

// HTTPAuth asks an endpoint of the application, as every client library does:
// a POST with a form of socket_id and, for channels, channel_name. It is both a
// [ChannelAuthorizer] and a [UserAuthenticator]. The fields are not changed
// once it is in use.
type HTTPAuth struct {
	Endpoint string       // absolute URL
	Client   *http.Client // nil: one of its own. Redirects are not followed in any case
	Header   http.Header  // added to every request
	Params   url.Values   // added to every form

	// HeaderFunc and ParamsFunc are called for every attempt, and win over
	// Header and Params. Their errors are those of the authorizer.
	HeaderFunc func(ctx context.Context, r AuthRequest) (http.Header, error)
	ParamsFunc func(ctx context.Context, r AuthRequest) (url.Values, error)

	// Prepare changes a request before it is sent. It is called last.
	Prepare func(req *http.Request, r AuthRequest) error
	// Decode reads an answer that is not the usual JSON, whatever its status.
	// For user authentication, ChannelData is the user data.
	Decode func(resp *http.Response, r AuthRequest) (Auth, error)

	once sync.Once
	own  *http.Client
}

var (
	_ ChannelAuthorizer = (*HTTPAuth)(nil)
	_ UserAuthenticator = (*HTTPAuth)(nil)
)

// check refuses an endpoint that can not be asked.
func (h *HTTPAuth) check() error {
	u, err := url.Parse(h.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return configError("the authorization endpoint is no absolute URL")
	}
	return nil
}

// client is who makes the requests.
func (h *HTTPAuth) client() *http.Client {
	h.once.Do(func() {
		c := http.Client{}
		if h.Client != nil {
			c = *h.Client
		} else {
			transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
			if standard, ok := http.DefaultTransport.(*http.Transport); ok { // a program may have put its own there
				transport = standard.Clone()
			}
			c.Transport = transport
		}
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		h.own = &c
	})
	return h.own
}

// CloseIdleConnections closes connections that are kept for the next request,
// unless they are those of HTTPAuth.Client. A [Client] calls it when it ends.
func (h *HTTPAuth) CloseIdleConnections() {
	if h.Client == nil {
		h.client().CloseIdleConnections()
	}
}

// AuthorizeChannel asks for one channel.
func (h *HTTPAuth) AuthorizeChannel(ctx context.Context, r AuthRequest) (Auth, error) {
	return h.ask(ctx, r, url.Values{"socket_id": {r.SocketID}, "channel_name": {r.Channel}})
}

// AuthenticateUser asks who the user is.
func (h *HTTPAuth) AuthenticateUser(ctx context.Context, r AuthRequest) (UserAuth, error) {
	r.Channel = ""
	a, err := h.ask(ctx, r, url.Values{"socket_id": {r.SocketID}})
	return UserAuth{Auth: a.Auth, UserData: a.ChannelData}, err
}

func (h *HTTPAuth) ask(ctx context.Context, r AuthRequest, form url.Values) (Auth, error) {
	response, err := h.post(ctx, r, form)
	if err != nil {
		return Auth{}, err
	}
	defer response.Body.Close()
	if h.Decode != nil {
		return h.Decode(response, r)
	}
	text, err := readAnswer(response, r.Channel, maxAuthAnswer)
	if err != nil {
		return Auth{}, err
	}
	return decodeAuth(text, r.Channel)
}

// post sends a form with everything that is configured.
func (h *HTTPAuth) post(ctx context.Context, r AuthRequest, form url.Values) (*http.Response, error) {
	maps.Copy(form, h.Params)
	if h.ParamsFunc != nil {
		params, err := h.ParamsFunc(ctx, r)
		if err != nil {
			return nil, err
		}
		maps.Copy(form, params)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &AuthError{Kind: AuthRequestFailed, Channel: r.Channel, Err: err}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	maps.Copy(request.Header, h.Header.Clone())
	if h.HeaderFunc != nil {
		header, err := h.HeaderFunc(ctx, r)
		if err != nil {
			return nil, err
		}
		maps.Copy(request.Header, header)
	}
	if h.Prepare != nil {
		if err := h.Prepare(request, r); err != nil {
			return nil, err
		}
	}
	response, err := h.client().Do(request)
	if err != nil {
		return nil, &AuthError{Kind: AuthRequestFailed, Channel: r.Channel, Err: withoutURL(err)}
	}
	return response, nil
}

// withoutURL takes off what prints the URL, which may have secrets in its
// query.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// readAnswer returns the body of a success, or makes an error of a refusal.
func readAnswer(response *http.Response, channel string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case err != nil:
		return nil, &AuthError{Kind: AuthRequestFailed, Channel: channel, StatusCode: response.StatusCode, Err: err}
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated:
		return nil, &AuthError{
			Kind: AuthRefused, Channel: channel, StatusCode: response.StatusCode,
			Body: string(text[:min(len(text), maxQuote)]), RetryAfter: retryAfter(response.Header),
		}
	case int64(len(text)) > limit:
		return nil, &AuthError{Kind: AuthBadResponse, Channel: channel, StatusCode: response.StatusCode, Err: fmt.Errorf("the answer is longer than %d bytes", limit)}
	}
	return text, nil
}

// decodeAuth reads an answer for a channel, or for the user if that is empty.
func decodeAuth(text []byte, channel string) (Auth, error) {
	var answer struct {
		Auth         string `json:"auth"`
		ChannelData  string `json:"channel_data"`
		SharedSecret string `json:"shared_secret"`
		UserData     string `json:"user_data"`
	}
	err := json.Unmarshal(text, &answer)
	if err == nil && answer.Auth == "" {
		err = errors.New("the answer has no auth")
	}
	if err != nil {
		return Auth{}, &AuthError{Kind: AuthBadResponse, Channel: channel, StatusCode: http.StatusOK, Body: string(text[:min(len(text), maxQuote)]), Err: err}
	}
	if channel == "" {
		return Auth{Auth: answer.Auth, ChannelData: answer.UserData}, nil
	}
	return Auth{Auth: answer.Auth, ChannelData: answer.ChannelData, SharedSecret: answer.SharedSecret}, nil
}
