package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxAuthBody is how long a request for authorization may be: a hundred
// channels with long names fit.
const maxAuthBody = 64 << 10

// maxAuthChannels is how many channels one request may ask for.
const maxAuthChannels = 100

// An AuthRequest is what a client library asks of an authorization endpoint.
type AuthRequest struct {
	SocketID string   // of the connection that asks
	Channels []string // one, unless Batched; none for user authentication
	Batched  bool     // several channels in one request, as the plug-in pusher-js-auth asks
	Callback string   // of JSONP; empty otherwise
	// Params are all parameters, also those that the application added: of the
	// body and then of the query. A member of JSON that is no text is here as
	// its JSON.
	Params url.Values
}

// ParseAuthRequest reads a request for authorization: a form, as client
// libraries send it, a JSON object with the same members, or the query of a
// GET, which is JSONP. A body is known by what is in it: authorizers that were
// written by hand often send it as another type than it is. Several channels
// are channel_name[0], channel_name[1] and so on. The socket id is checked for
// its form, channels are not. Of the body at most 64 KB are read.
func ParseAuthRequest(r *http.Request) (*AuthRequest, error) {
	form, err := authForm(r)
	if err != nil {
		return nil, err
	}
	query, err := parseForm(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	for name, values := range query {
		form[name] = append(form[name], values...)
	}
	return parseAuthForm(r.Method, form)
}

func parseAuthForm(method string, form url.Values) (*AuthRequest, error) {
	request := &AuthRequest{SocketID: form.Get("socket_id"), Params: form}
	if !form.Has("socket_id") {
		return nil, invalid(ErrInvalidSocketID, "socket_id", "", "missing; send it as a form, or as JSON")
	}
	if err := checkSocketID(request.SocketID); err != nil {
		return nil, err
	}
	if method == http.MethodGet {
		request.Callback = form.Get("callback")
		if !callbackName.MatchString(request.Callback) {
			return nil, invalid(ErrInvalidParameter, "callback", request.Callback, "not a name for a JSONP callback")
		}
	}
	if form.Has("channel_name") {
		request.Channels = []string{form.Get("channel_name")}
		return request, nil
	}
	channels, err := batchedChannels(form)
	request.Channels = channels
	request.Batched = len(request.Channels) > 0
	return request, err
}

// callbackName is what may stand in front of a JSONP answer: a path of names,
// and what pusher-js calls its callbacks.
var callbackName = regexp.MustCompile(`\A(?:[A-Za-z_$][A-Za-z0-9_$.\[\]]{0,127}|Pusher\.auth_callbacks\['[0-9]{1,19}'\])\z`)

// authForm returns the parameters that stand in the body of a request. Something
// in front of the handler, such as a check against forged requests, may have
// read the body already; r.PostForm then has what stood in it.
func authForm(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAuthBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("backend: body of an authorization request: %w", err)
	case len(body) > maxAuthBody:
		return nil, invalid(ErrInvalidParameter, "body", "", "too long")
	case len(body) == 0 && r.PostForm != nil:
		return maps.Clone(r.PostForm), nil
	}
	return ParseAuthBody(body)
}

// ParseAuthBody reads the parameters in the body of a request for
// authorization, for those who have no [http.Request].
func ParseAuthBody(body []byte) (url.Values, error) {
	text := bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff"))
	switch {
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return jsonForm(text)
	case bytes.HasPrefix(text, []byte("--")):
		return multipartForm(text)
	}
	return parseForm(string(text))
}

// parseForm reads what browsers send of a form. Unlike [url.ParseQuery] it takes
// a semicolon as it is: channel names have them, and not everybody escapes.
func parseForm(text string) (url.Values, error) {
	form, err := url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
	if err != nil {
		return nil, invalid(ErrInvalidParameter, "body", "", "not a form, nor a JSON object")
	}
	return form, nil
}

// multipartForm reads what browsers send of a FormData. Its boundary is what
// the body begins with; in the Content-Type it is missing where somebody has
// set that header by hand.
func multipartForm(body []byte) (url.Values, error) {
	first, _, _ := bytes.Cut(body, []byte("\n"))
	boundary := strings.TrimRight(string(first[len("--"):]), "\r\t ")
	if !bytes.Contains(body, []byte("\n--"+boundary+"--")) {
		return nil, invalid(ErrInvalidParameter, "body", "", "a multipart form that is cut off")
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	form := url.Values{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		var value []byte
		if err == nil {
			value, err = io.ReadAll(part)
		}
		if err != nil {
			return nil, invalid(ErrInvalidParameter, "body", "", "not a multipart form")
		}
		form.Add(part.FormName(), string(value))
	}
}

// jsonForm reads a JSON object as if it were a form. Members that are no
// strings become their JSON, except for a list of channels; null is left out.
func jsonForm(body []byte) (url.Values, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, invalid(ErrInvalidParameter, "body", "", "not a JSON object")
	}
	form := url.Values{}
	for name, raw := range object {
		var one string
		var list []string
		switch {
		case string(raw) == "null":
		case json.Unmarshal(raw, &one) == nil:
			form.Set(name, one)
		case name == "channel_name" && json.Unmarshal(raw, &list) == nil:
			for i, channel := range list {
				form.Set("channel_name["+strconv.Itoa(i)+"]", channel)
			}
		default:
			form.Set(name, string(raw))
		}
	}
	return form, nil
}

// batchedChannels returns channel_name[0], channel_name[1] … by number.
func batchedChannels(form url.Values) ([]string, error) {
	type numbered struct {
		n    int
		name string
	}
	var list []numbered
	for key, values := range form {
		index, ok := strings.CutPrefix(key, "channel_name[")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 31)
		if err != nil {
			return nil, invalid(ErrInvalidParameter, "parameter", key, "")
		}
		list = append(list, numbered{int(n), values[0]})
	}
	if len(list) > maxAuthChannels {
		return nil, invalid(ErrTooManyChannels, "channel_name", "", fmt.Sprintf("%d, at most %d", len(list), maxAuthChannels))
	}
	slices.SortFunc(list, func(a, b numbered) int { return a.n - b.n })
	channels := make([]string, len(list))
	for i, c := range list {
		channels[i] = c.name
	}
	return channels, nil
}

// errMethod is a request that is neither POST nor a permitted GET.
var errMethod = errors.New("backend: method not allowed")
