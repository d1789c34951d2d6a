package devsite

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/protocol"
)

// MasterKey is the key from which the secrets of encrypted channels are
// derived, as server libraries want it (encryptionMasterKeyBase64). It is
// known to everybody, like all else here.
const MasterKey = "YmVsZnJ5LWRldi1lbmNyeXB0aW9uLW1hc3Rlci1rZXk=" // belfry-dev-encryption-master-key

// A grant is the answer that lets a connection subscribe, or sign in.
type grant struct {
	Auth         string `json:"auth"`
	ChannelData  string `json:"channel_data,omitempty"`
	SharedSecret string `json:"shared_secret,omitempty"`
	UserData     string `json:"user_data,omitempty"`
}

// A refusal is a request that can not be granted, and why.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// A request is what a client library asks for.
type request struct {
	*backend.AuthRequest
	socket protocol.SocketID
}

// param returns the first value of a parameter, or an empty text.
func (r request) param(name string) string { return r.Params.Get(name) }

// callbackName is what pusher-js calls its JSONP callbacks. Anything else
// could be a script of somebody else's making.
var callbackName = regexp.MustCompile(`^Pusher\.auth_callbacks\['[0-9]{1,9}'\]$`)

// endpoint answers the forms in which client libraries ask: a POST from a
// page of any origin, or a script with a callback (JSONP).
func (s *site) endpoint(answer func(request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowAnyOrigin(w, r)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		q, err := requested(w, r)
		var reply any
		if err == nil {
			reply, err = answer(q)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		writeReply(w, q.Callback, reply)
	})
}

func allowAnyOrigin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Access-Control-Request-Headers")
	if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// requested reads a request, in all the forms that a backend of our own takes.
func requested(w http.ResponseWriter, r *http.Request) (request, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		return request{}, refuse(http.StatusMethodNotAllowed, "POST a form with socket_id and channel_name")
	}
	q, err := backend.ParseAuthRequest(r)
	if err != nil {
		return request{}, refuse(http.StatusBadRequest, "%s", strings.TrimPrefix(err.Error(), "backend: "))
	}
	if q.Callback != "" && !callbackName.MatchString(q.Callback) {
		return request{}, refuse(http.StatusBadRequest, "callback is not the name of a callback of pusher-js")
	}
	id, ok := protocol.ParseSocketID(q.SocketID)
	if !ok {
		return request{}, refuse(http.StatusBadRequest, "socket_id is not the id of a socket")
	}
	return request{q, id}, nil
}

func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*refusal](err)
	if !ok {
		s.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
		e = &refusal{http.StatusInternalServerError, "internal error"}
	}
	http.Error(w, e.text, e.status)
}

func writeReply(w http.ResponseWriter, callback string, reply any) {
	text, err := json.Marshal(reply) // with < > & and U+2028 escaped, so that it is a script as well
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if callback == "" {
		w.Header().Set("Content-Type", "application/json")
		w.Write(text)
		return
	}
	w.Header().Set("Content-Type", "application/javascript; charset=utf-8")
	fmt.Fprintf(w, "%s(%s);", callback, text)
}

// authorize grants what is asked for: one channel, or, to the plug-in that
// asks for many at once, each under its name.
func (s *site) authorize(r request) (any, error) {
	if !r.Batched {
		if len(r.Channels) == 0 {
			return nil, refuse(http.StatusBadRequest, "channel_name is missing")
		}
		return s.grant(r, r.Channels[0])
	}
	type result struct {
		Status int    `json:"status"`
		Data   *grant `json:"data,omitempty"`
	}
	results := map[string]result{}
	for _, channel := range r.Channels {
		g, err := s.grant(r, channel)
		if e, ok := errors.AsType[*refusal](err); ok {
			results[channel] = result{Status: e.status}
			continue
		}
		results[channel] = result{Status: http.StatusOK, Data: g}
	}
	return results, nil
}

// grant signs for one channel.
func (s *site) grant(r request, channel string) (*grant, error) {
	if protocol.CheckChannel(channel, protocol.MaxChannelName) != nil {
		return nil, refuse(http.StatusBadRequest, "%q is not the name of a channel", channel)
	}
	kind := protocol.KindOf(channel)
	switch {
	case kind.Presence():
		member, err := r.member()
		if err != nil {
			return nil, err
		}
		return &grant{Auth: s.token(protocol.ChannelDataText(r.socket, channel, member)), ChannelData: member}, nil
	case kind.Encrypted():
		return &grant{Auth: s.token(protocol.ChannelText(r.socket, channel)), SharedSecret: sharedSecret(channel)}, nil
	case kind.Private():
		return &grant{Auth: s.token(protocol.ChannelText(r.socket, channel))}, nil
	}
	return nil, refuse(http.StatusForbidden, "%s is a public channel, which needs no authorization", channel)
}

func (s *site) token(text string) string {
	return s.key.Key + ":" + protocol.Sign(s.key.Secret, text)
}

// sharedSecret is with what the data on an encrypted channel is encrypted.
func sharedSecret(channel string) string {
	master, err := base64.StdEncoding.DecodeString(MasterKey)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(append([]byte(channel), master...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// member is the channel_data of who asks.
func (r request) member() (string, error) {
	id, info, err := r.user(protocol.MaxPresenceUserID)
	if err != nil {
		return "", err
	}
	return encode(struct {
		UserID   string          `json:"user_id"`
		UserInfo json.RawMessage `json:"user_info"`
	}{id, info})
}

// authenticate signs a user in.
func (s *site) authenticate(r request) (any, error) {
	id, info, err := r.user(protocol.MaxUserID)
	if err != nil {
		return nil, err
	}
	watchlist, err := r.json("watchlist")
	if err != nil {
		return nil, err
	}
	data, err := encode(struct {
		ID        string          `json:"id"`
		UserInfo  json.RawMessage `json:"user_info"`
		Watchlist json.RawMessage `json:"watchlist,omitempty"`
	}{id, info, watchlist})
	if err != nil {
		return nil, err
	}
	if _, err := protocol.ParseUserData(data); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	return &grant{Auth: s.token(protocol.UserText(r.socket, data)), UserData: data}, nil
}

// user is who asks, and what others are told of them. It is what was asked
// for, or else one that is the socket's alone, with a name that a page can
// show.
func (r request) user(limit int) (id string, info json.RawMessage, err error) {
	id, name := r.param("user_id"), r.param("user_id")
	if id == "" {
		_, number, _ := strings.Cut(r.SocketID, ".")
		id, name = r.SocketID, "Guest "+number
	}
	if utf8.RuneCountInString(id) > limit || !utf8.ValidString(id) {
		return "", nil, refuse(http.StatusBadRequest, "user_id is not text of at most %d characters", limit)
	}
	if info, err = r.json("user_info"); err == nil && info == nil {
		info, err = json.Marshal(map[string]string{"id": id, "name": name})
	}
	return id, info, err
}

// json returns a parameter that is JSON, or nil.
func (r request) json(name string) (json.RawMessage, error) {
	text := r.param(name)
	if text == "" {
		return nil, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, refuse(http.StatusBadRequest, "%s is not JSON", name)
	}
	return json.RawMessage(text), nil
}

func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
