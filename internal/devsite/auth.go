package devsite

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

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
	socket protocol.SocketID
	form   map[string][]string
}

// param returns the first value of a parameter, or an empty text.
func (r request) param(name string) string {
	if values := r.form[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

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
		callback, err := requested(w, r)
		var reply any
		if err == nil {
			reply, err = s.answer(r, answer)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		writeReply(w, callback, reply)
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

// requested reads the form of a request and returns the callback to answer
// with, which is empty for a POST.
func requested(w http.ResponseWriter, r *http.Request) (callback string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	switch r.Method {
	case http.MethodPost:
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
			return "", jsonForm(r)
		}
	case http.MethodGet:
		callback = r.URL.Query().Get("callback")
		if !callbackName.MatchString(callback) {
			return "", refuse(http.StatusBadRequest, "callback is not the name of a callback of pusher-js")
		}
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		return "", refuse(http.StatusMethodNotAllowed, "POST a form with socket_id and channel_name")
	}
	if err := r.ParseForm(); err != nil {
		return "", refuse(http.StatusBadRequest, "the form can not be read: %v", err)
	}
	return callback, nil
}

// jsonForm reads a body of JSON, which hand-written authorizers send, as if
// it were a form.
func jsonForm(r *http.Request) error {
	var members map[string]any
	if err := json.NewDecoder(r.Body).Decode(&members); err != nil {
		return refuse(http.StatusBadRequest, "the body is not a JSON object: %v", err)
	}
	r.Form = map[string][]string{}
	for name, v := range members {
		text, ok := v.(string)
		if !ok {
			encoded, err := json.Marshal(v)
			if err != nil {
				return refuse(http.StatusBadRequest, "%s can not be read", name)
			}
			text = string(encoded)
		}
		r.Form[name] = []string{text}
	}
	return nil
}

func (s *site) answer(r *http.Request, answer func(request) (any, error)) (any, error) {
	req := request{form: r.Form}
	id, ok := protocol.ParseSocketID(req.param("socket_id"))
	if !ok {
		return nil, refuse(http.StatusBadRequest, "socket_id is missing or not the id of a socket")
	}
	req.socket = id
	return answer(req)
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
	if channel := r.param("channel_name"); channel != "" {
		return s.grant(r, channel)
	}
	type result struct {
		Status int    `json:"status"`
		Data   *grant `json:"data,omitempty"`
	}
	results := map[string]result{}
	for name, values := range r.form {
		if !strings.HasPrefix(name, "channel_name[") {
			continue
		}
		for _, channel := range values {
			g, err := s.grant(r, channel)
			if e, ok := errors.AsType[*refusal](err); ok {
				results[channel] = result{Status: e.status}
				continue
			}
			results[channel] = result{Status: http.StatusOK, Data: g}
		}
	}
	if len(results) == 0 {
		return nil, refuse(http.StatusBadRequest, "channel_name is missing")
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
	id, err := r.userID(protocol.MaxPresenceUserID)
	if err != nil {
		return "", err
	}
	info, err := r.json("user_info")
	if err != nil {
		return "", err
	}
	return encode(struct {
		UserID   string          `json:"user_id"`
		UserInfo json.RawMessage `json:"user_info,omitempty"`
	}{id, info})
}

// authenticate signs a user in.
func (s *site) authenticate(r request) (any, error) {
	id, err := r.userID(protocol.MaxUserID)
	if err != nil {
		return nil, err
	}
	info, err := r.json("user_info")
	if err != nil {
		return nil, err
	}
	watchlist, err := r.json("watchlist")
	if err != nil {
		return nil, err
	}
	data, err := encode(struct {
		ID        string          `json:"id"`
		UserInfo  json.RawMessage `json:"user_info,omitempty"`
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

// userID is the user_id that was asked for, or else one that is the socket's
// alone.
func (r request) userID(limit int) (string, error) {
	id := cmp.Or(r.param("user_id"), r.socket.String())
	if utf8.RuneCountInString(id) > limit || !utf8.ValidString(id) {
		return "", refuse(http.StatusBadRequest, "user_id is not text of at most %d characters", limit)
	}
	return id, nil
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
