package fallback

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// serveSend takes messages of a client. It makes no session.
func (s *Server) serveSend(w http.ResponseWriter, r *http.Request, rt route) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	if err != nil {
		refuseBody(w, err)
		return
	}
	text := body
	if rt.endpoint == jsonpSend {
		text = formField(r, body)
	}
	messages, err := readMessages(text, s.cfg.MaxMessageSize, int(s.maxBody)/minMessage)
	switch {
	case errors.Is(err, errTooLong), errors.Is(err, errTooMany):
		refuse(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.table.find(rt.id) == nil {
		if rt.relayed {
			misdirected(w)
			return
		}
		if s.elsewhere(w, r, rt, body) {
			return
		}
	}
	if !s.send(r, rt.id, messages) {
		refuse(w, http.StatusNotFound, "there is no such session")
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store, no-cache, no-transform, must-revalidate, max-age=0")
	if rt.endpoint == jsonpSend { // forms notice only an answer with a body
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write([]byte("ok"))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// send hands messages to the session of that id, and reports whether there is
// one that takes them. It waits while the node, or the app, has too much to do:
// so clients are slowed down.
func (s *Server) send(r *http.Request, id sessionID, messages [][]byte) bool {
	session := s.table.find(id)
	if session == nil {
		return false
	}
	number := requestNumber(r.URL.Query().Get("n"))
	select {
	case <-session.opened:
	case <-r.Context().Done():
		return false
	}
	type answer struct {
		ok   bool
		wait string // for this owner
	}
	answers := make(chan answer, 1)
	weight := 1 + cost(messages)/loop.BytesPerWeight
	for owner := ""; s.cfg.Loops.AdmitOwner(r.Context(), owner) == nil; {
		session.loop.Post(func(int) {
			if owner := session.Owner(); s.cfg.Loops.Held(owner) {
				answers <- answer{wait: owner}
				return
			}
			answers <- answer{ok: session.accept(messages, number)}
		}, weight)
		select {
		case a := <-answers:
			if owner = a.wait; owner == "" {
				return a.ok
			}
		case <-r.Context().Done():
			return false
		}
	}
	return false
}

// formField returns what a form sends as d. Other types of bodies are that
// itself.
func formField(r *http.Request, body []byte) []byte {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return body
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil
	}
	return []byte(form.Get("d"))
}

var (
	errNotMessages = errors.New("the body is not a JSON array of strings")
	errTooLong     = errors.New("a message is too long")
	errTooMany     = errors.New("there are too many messages")
)

// minMessage is less than any message that means something takes in a body.
const minMessage = 32

// readMessages reads a JSON array of strings, of at most so many, which are at
// most limit bytes long.
func readMessages(body []byte, limit, most int) ([][]byte, error) {
	messages := [][]byte{}
	var bad error
	err := rawjson.Array(body, func(value []byte) {
		text, ok := rawjson.String(value)
		switch {
		case !ok:
			bad = errNotMessages
		case len(text) > limit:
			bad = errTooLong
		case len(messages) == most:
			bad = errTooMany
		default:
			messages = append(messages, []byte(text))
		}
	})
	if err != nil {
		return nil, errNotMessages
	}
	return messages, bad
}

// refuseBody answers a request whose body could not be read.
func refuseBody(w http.ResponseWriter, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is too long")
		return
	}
	refuse(w, http.StatusBadRequest, "the body can not be read")
}
