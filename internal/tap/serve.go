package tap

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// Path is where the admin API shows what happens to an app.
const Path = "/api/v1/apps/{id}/live"

const (
	beatTime  = 15 * time.Second // a comment shows that the connection lives
	peerBeat  = 500 * time.Millisecond
	writeTime = 15 * time.Second // how long a reader may take for one piece
)

// Handler answers at [Path], where the id of the app is the path's value id.
func (t *Taps) Handler() http.Handler {
	return jsonhttp.Handler(t.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked GET.")
		}
		if err := jsonhttp.Query(r, Parameters...); err != nil {
			return err
		}
		query := r.URL.Query()
		if access.From(r.Context()).Role != access.Operator {
			query.Set(parameterAddresses, networksOnly)
		}
		return t.serve(w, r, request{r.PathValue("id"), query, r.Header.Get("Last-Event-ID"), true})
	})
}

// PeerPath is where peers ask for the rows of this node alone.
const PeerPath = "/live"

// What a peer names in its query besides: the app, and the last row that it has.
const (
	parameterApp  = "app"
	parameterLast = "last"
)

// ServePeer answers at [PeerPath].
func (t *Taps) ServePeer(w http.ResponseWriter, r *http.Request) {
	jsonhttp.Handler(t.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		query := r.URL.Query()
		return t.serve(w, r, request{query.Get(parameterApp), query, query.Get(parameterLast), false})
	}).ServeHTTP(w, r)
}

// A request is what a reader wants to see.
type request struct {
	app    string
	query  url.Values
	lastID string
	wide   bool // with the rows of peers
}

// serve brings a session's rows to a reader.
func (t *Taps) serve(w http.ResponseWriter, r *http.Request, q request) error {
	filter, err := ParseFilter(q.query)
	if err != nil {
		return err
	}
	if !t.cfg.Known(q.app) {
		return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s, place, lost := t.resume(q.lastID, q.app, filter)
	if s == nil {
		if s, err = t.watch(q.app, filter, q.wide); err != nil {
			return err
		}
	}
	defer s.attach(place, cancel)()
	if lost {
		s.unknown(t.cfg.Node, gapLost)
	}
	out := stream{w: w, control: http.NewResponseController(w), session: s.id}
	out.begin()
	beat := beatTime
	if !q.wide {
		beat = peerBeat
	}
	s.copyTo(ctx, &out, beat)
	return nil
}

// resume returns the session that a reader comes back to, and where in it. If it
// is gone, what was in it is lost.
func (t *Taps) resume(lastID, app string, f *Filter) (s *session, place uint64, lost bool) {
	id, text, ok := strings.Cut(lastID, ".")
	if !ok {
		return nil, 0, false
	}
	place, err := strconv.ParseUint(text, 10, 64)
	s = t.find(id)
	if err != nil || s == nil || s.app != app || s.ctx.Err() != nil || !sameQuery(s.filter.Query(), f.Query()) {
		return nil, 0, true
	}
	return s, place, false
}

func sameQuery(a, b url.Values) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

// copyTo writes what comes until the reader or the session is gone. After a piece
// it waits a little, so that the next one is not of single rows.
func (s *session) copyTo(ctx context.Context, out *stream, beat time.Duration) {
	silence := time.NewTimer(beat)
	defer silence.Stop()
	for {
		got := s.take(batch)
		for _, it := range got {
			out.item(it)
		}
		if out.flush() != nil {
			return
		}
		wake, pause := s.wake, (<-chan time.Time)(nil)
		if len(got) > 0 {
			silence.Reset(beat)
			wake, pause = nil, time.After(batchTime)
		}
		select {
		case <-wake:
		case <-pause:
		case <-silence.C:
			out.comment("still here")
			silence.Reset(beat)
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// A stream writes server-sent events. The first error stays.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	session string
	text    []byte // what was not written yet
	err     error
}

// begin sends the head of the answer, which lasts longer than the timeouts of the
// server: each piece has its own.
func (o *stream) begin() {
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // for nginx
	_ = o.control.SetReadDeadline(time.Time{})
	o.w.WriteHeader(http.StatusOK)
	o.text = append(o.text, "retry: 1000\n\n"...)
}

// item adds a row, or how many are left out.
func (o *stream) item(it item) {
	body := it.body
	if it.gap != nil {
		text, err := json.Marshal(it.gap)
		if err != nil {
			panic(err) // there is nothing in it that can not be written
		}
		body = text
	}
	o.text = append(o.text, "id: "+o.session+"."...)
	o.text = strconv.AppendUint(o.text, it.end, 10)
	o.text = append(o.text, "\ndata: "...)
	o.text = append(append(o.text, body...), "\n\n"...)
}

// comment adds what readers ignore.
func (o *stream) comment(text string) { o.text = append(o.text, ": "+text+"\n\n"...) }

// maxText is how much of a piece is kept for the next one to be written into.
const maxText = 64 << 10

// flush writes what was added.
func (o *stream) flush() error {
	if o.err != nil {
		return o.err
	}
	if o.err = o.control.SetWriteDeadline(time.Now().Add(writeTime)); o.err == nil {
		_, o.err = o.w.Write(o.text)
	}
	if o.text = o.text[:0]; cap(o.text) > maxText {
		o.text = nil
	}
	if o.err == nil {
		o.err = o.control.Flush()
	}
	return o.err
}
