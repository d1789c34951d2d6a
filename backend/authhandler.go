package backend

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A ChannelAuthFunc decides whether the client that sends r may subscribe to
// a channel, and for a presence channel as whom. An error that is
// ErrAuthDenied refuses; any other error is the application's own and is
// answered with 500. The socket id and the name of the channel are checked
// before.
//
// The session of the user comes with r: its cookies, or the headers and
// parameters that the client is configured to send. The form of r is parsed:
// r.Form has those parameters, in whichever form they came.
type ChannelAuthFunc func(r *http.Request, socketID, channel string) (*Member, error)

// A UserAuthFunc decides who the client that sends r is. Errors are those of
// ChannelAuthFunc; nil user data is as good as ErrAuthDenied.
type UserAuthFunc func(r *http.Request, socketID string) (*UserData, error)

// An AuthOption changes an endpoint.
type AuthOption func(*authEndpoint)

// AllowJSONP answers GET requests with JSONP, which old browser libraries
// need to ask another origin. It lets every page that a user visits ask for a
// token in the user's name: use it only where a token needs more than cookies.
func AllowJSONP() AuthOption { return func(e *authEndpoint) { e.jsonp = true } }

// AllowOrigins lets pages of other origins ask, as in "https://shop.example.com",
// with their cookies; "*" lets all pages ask, without cookies.
func AllowOrigins(origins ...string) AuthOption {
	return func(e *authEndpoint) { e.origins = append(e.origins, origins...) }
}

// AllowHeaders lets pages of other origins send headers besides Content-Type
// and Authorization, such as "X-CSRF-Token".
func AllowHeaders(names ...string) AuthOption {
	return func(e *authEndpoint) { e.headers = append(e.headers, names...) }
}

// An authEndpoint is what both endpoints have in common.
type authEndpoint struct {
	c       *Client
	answer  func(r *http.Request, q *AuthRequest) (any, error)
	jsonp   bool
	origins []string
	headers []string
}

// ChannelAuthHandler is the endpoint that client libraries ask to authorize
// subscriptions, usually /pusher/auth. It answers 200 with a [ChannelAuth], 403
// when f refuses, 400 to a request that is none, and 500 when f fails. For
// several channels at once it answers 200 with a status for each of them.
func (c *Client) ChannelAuthHandler(f ChannelAuthFunc, opts ...AuthOption) http.Handler {
	return c.endpoint(opts, func(r *http.Request, q *AuthRequest) (any, error) {
		if q.Batched {
			return c.authorizeBatch(r, q, f), nil
		}
		if len(q.Channels) == 0 {
			return nil, invalid(ErrInvalidChannel, "channel_name", "", "missing")
		}
		return c.decide(r, q.SocketID, q.Channels[0], f)
	})
}

// UserAuthHandler is the endpoint that client libraries ask to authenticate
// users, usually /pusher/user-auth. It answers 200 with a [UserAuth], 403 when
// f refuses, 400 to a request that is none, and 500 when f fails.
func (c *Client) UserAuthHandler(f UserAuthFunc, opts ...AuthOption) http.Handler {
	return c.endpoint(opts, func(r *http.Request, q *AuthRequest) (any, error) {
		u, err := f(r, q.SocketID)
		switch {
		case err != nil:
			return nil, applicationError(err)
		case u == nil:
			return nil, ErrAuthDenied
		}
		auth, err := c.AuthenticateUser(q.SocketID, *u)
		return auth, applicationError(err)
	})
}

func (c *Client) endpoint(opts []AuthOption, answer func(*http.Request, *AuthRequest) (any, error)) http.Handler {
	e := &authEndpoint{c: c, answer: answer, headers: []string{"Content-Type", "Authorization"}}
	for _, o := range opts {
		o(e)
	}
	return e
}

// decide asks f about one channel and signs.
func (c *Client) decide(r *http.Request, socketID, channel string, f ChannelAuthFunc) (*ChannelAuth, error) {
	if err := c.checkChannel(channel); err != nil {
		return nil, err
	}
	if !IsPrivate(channel) {
		return nil, invalid(ErrPublicChannel, "channel", channel, "")
	}
	m, err := f(r, socketID, channel)
	if err != nil {
		return nil, applicationError(err)
	}
	if !IsPresence(channel) {
		m = nil // who it is matters on presence channels only
	}
	auth, err := c.AuthorizeChannel(socketID, channel, m)
	return auth, applicationError(err)
}

// A failure is an error of the application, which is not for its clients to
// read.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// applicationError is err as the application's, unless it refuses.
func applicationError(err error) error {
	if err == nil || errors.Is(err, ErrAuthDenied) {
		return err
	}
	return failure{err}
}

// A batchAnswer is what one of several channels gets.
type batchAnswer struct {
	Status int          `json:"status"`
	Data   *ChannelAuth `json:"data,omitempty"`
}

func (c *Client) authorizeBatch(r *http.Request, q *AuthRequest, f ChannelAuthFunc) map[string]batchAnswer {
	answers := make(map[string]batchAnswer, len(q.Channels))
	for _, channel := range q.Channels {
		auth, err := c.decide(r, q.SocketID, channel, f)
		status, _ := c.status(r, err)
		answers[channel] = batchAnswer{status, auth}
	}
	return answers
}

// status returns what an error is answered with.
func (c *Client) status(r *http.Request, err error) (int, string) {
	own, isOwn := errors.AsType[failure](err)
	switch {
	case err == nil:
		return http.StatusOK, ""
	case errors.Is(err, ErrAuthDenied):
		return http.StatusForbidden, "Forbidden"
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed, "Method Not Allowed"
	case isOwn:
		c.log.ErrorContext(r.Context(), "authorization failed", "err", own.error)
		return http.StatusInternalServerError, "Internal Server Error"
	}
	return http.StatusBadRequest, strings.TrimPrefix(err.Error(), "backend: ")
}

func (e *authEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.crossOrigin(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer, callback, err := e.serve(r)
	if err != nil {
		status, message := e.c.status(r, err)
		http.Error(w, message, status)
		return
	}
	text, err := encodeJSON(answer)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if callback != "" {
		h.Set("Content-Type", "application/javascript")
		text = append(append([]byte(callback+"("), text...), ");"...)
	}
	w.Write(text) // a client that went away is no news
}

// serve reads a request and returns what to answer.
func (e *authEndpoint) serve(r *http.Request) (answer any, callback string, err error) {
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || !e.jsonp) {
		return nil, "", errMethod
	}
	q, err := ParseAuthRequest(r)
	if err != nil {
		return nil, "", err
	}
	r.PostForm, r.Form = q.Params, q.Params
	answer, err = e.answer(r, q)
	return answer, q.Callback, err
}

// crossOrigin tells a browser whether a page of another origin may ask.
func (e *authEndpoint) crossOrigin(w http.ResponseWriter, r *http.Request) {
	if len(e.origins) == 0 {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case origin != "" && slices.Contains(e.origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	case slices.Contains(e.origins, "*"):
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", strings.Join(e.headers, ", "))
}
