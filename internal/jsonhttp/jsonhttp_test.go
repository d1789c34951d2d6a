package jsonhttp

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answer serves one request and returns its status, type and body.
func answer(h http.Handler, r *http.Request) (int, string, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Content-Type"), w.Body.String()
}

func TestHandlerTellsRefusalsAndHidesTheRest(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for name, tt := range map[string]struct {
		err          error
		status       int
		body, logged string
	}{
		"refusal": {Refuse(http.StatusConflict, "There is %q already.", "x"), 409, `{"title":"Conflict","status":409,"detail":"There is \"x\" already."}`, ""},
		"with a cause": {&Problem{Title: "Service Unavailable", Status: 503, Err: errors.New("disk on fire")}, 503,
			`{"title":"Service Unavailable","status":503}`, "disk on fire"},
		"anything else": {errors.New("disk on fire"), 500, `{"title":"Internal Server Error","status":500}`, "disk on fire"},
	} {
		log.Reset()
		h := Handler(logger, func(http.ResponseWriter, *http.Request) error { return tt.err })
		status, kind, body := answer(h, httptest.NewRequest("GET", "/", nil))
		if status != tt.status || kind != "application/problem+json" || body != tt.body {
			t.Errorf("%s: %d %s %s, want %d %s", name, status, kind, body, tt.status, tt.body)
		}
		if !strings.Contains(log.String(), tt.logged) || tt.logged == "" && log.Len() > 0 {
			t.Errorf("%s: logged %q, want %q in it", name, &log, tt.logged)
		}
	}
}

func TestRead(t *testing.T) {
	type body struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	for name, tt := range map[string]struct {
		text, kind string
		status     int
		detail     string
	}{
		"right":         {`{"name":"x","count":1}`, "application/json; charset=utf-8", 200, ""},
		"empty":         {"", "", 200, ""},
		"unknown":       {`{"nam":"hunter2"}`, "application/json", 400, `The body can not be read: "nam" is unknown.`},
		"wrong type":    {`{"count":"hunter2"}`, "application/json", 400, "The body can not be read: count is of the wrong type (string)."},
		"not JSON":      {`{"name":hunter2}`, "application/json", 400, "The body can not be read: it is not JSON at byte 9."},
		"two values":    {`{} {}`, "application/json", 400, "The body has more than one JSON value."},
		"cut off":       {`{"name":`, "application/json", 400, "The body can not be read: it is not JSON."},
		"another type":  {`{}`, "text/plain", 415, "The body must be of type application/json."},
		"no type":       {`{}`, "", 415, "The body must be of type application/json."},
		"far too large": {`{"name":"` + strings.Repeat("x", MaxBody) + `"}`, "application/json", 413, "The body is larger than 1048576 bytes."},
	} {
		var got body
		h := Handler(slog.Default(), func(w http.ResponseWriter, r *http.Request) error {
			if err := Read(r, &got); err != nil {
				return err
			}
			return Write(w, http.StatusOK, got)
		})
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.text))
		r.Header.Set("Content-Type", tt.kind)
		status, _, reply := answer(h, r)
		if status != tt.status || !strings.Contains(reply, strings.ReplaceAll(tt.detail, `"`, `\"`)) {
			t.Errorf("%s: %d %s, want %d %s", name, status, reply, tt.status, tt.detail)
		}
	}
}

func TestPageAndQuery(t *testing.T) {
	h := Handler(slog.Default(), func(w http.ResponseWriter, r *http.Request) error {
		if err := Query(r, "after", "limit"); err != nil {
			return err
		}
		after, limit, err := Page(r)
		if err != nil {
			return err
		}
		return Write(w, http.StatusOK, []any{after, limit})
	})
	for query, want := range map[string]string{
		"":                   `["",100]`,
		"?after=x&limit=7":   `["x",7]`,
		"?limit=1000":        `["",1000]`,
		"?limit=1001":        "limit is not a number from 1 to 1000.",
		"?limit=0":           "limit is not a number",
		"?limit=x":           "limit is not a number",
		"?limti=5":           `The parameter \"limti\" is unknown; did you mean limit?`,
		"?something=another": `The parameter \"something\" is unknown.`,
	} {
		if _, _, got := answer(h, httptest.NewRequest("GET", "/"+query, nil)); !strings.Contains(got, want) {
			t.Errorf("GET /%s = %s, want %s", query, got, want)
		}
	}
}
