// Package explain answers why somebody did not get an event.
//
// The node that is asked collects what all nodes remember ([Report]). That is what
// became of the event where it was triggered and where it arrived, and the lives of
// the sockets in question. From that alone it finds one of thirteen verdicts
// ([Judge]), each with its evidence, what is not known, and what to do. It never
// guesses: where a record is forgotten, or a node has not answered, that is the
// verdict.
//
// Whether a socket was subscribed when an event came is a matter of numbers and not
// of clocks. On its node every event has a place among the deliveries of its
// channel, and so have the beginning and the end of a subscription. Clocks decide
// only where the socket's node has not seen the event at all.
//
// The package keeps nothing and takes no locks.
package explain

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/survey"
)

// Path is where the admin API explains, PeerPath where peers are asked what they
// know.
const (
	Path     = "/api/v1/apps/{id}/explain"
	PeerPath = "/journal"
)

// parameterApp names the app at PeerPath.
const parameterApp = "app"

// maxAtOnce is how many questions a node answers at a time, for operators and for
// peers each.
const maxAtOnce = 10

// Config is what an explainer needs. Memory and Known are required.
type Config struct {
	Memory *Memory
	// Known reports whether there is an app with that id.
	Known func(app string) bool
	// Peers are the other nodes; nil or a nil result: there are none.
	Peers func() survey.Peers
	Log   *slog.Logger // nil: no log
}

// An Explainer answers questions. It is safe for concurrent use.
type Explainer struct {
	cfg         Config
	asked, told chan struct{} // have a place for each question that is answered
}

// New returns an explainer.
func New(cfg Config) *Explainer {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Peers == nil {
		cfg.Peers = func() survey.Peers { return nil }
	}
	return &Explainer{cfg: cfg, asked: make(chan struct{}, maxAtOnce), told: make(chan struct{}, maxAtOnce)}
}

// Handler answers at [Path], where the id of the app is the path's value id.
func (x *Explainer) Handler() http.Handler {
	return jsonhttp.Handler(x.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked GET.")
		}
		if err := jsonhttp.Query(r, Parameters...); err != nil {
			return err
		}
		app := r.PathValue("id")
		if !x.cfg.Known(app) {
			return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
		}
		q, err := ParseQuery(app, r.URL.Query(), time.Now())
		if err != nil {
			return err
		}
		if !enter(x.asked) {
			return tooMany()
		}
		defer leave(x.asked)
		return jsonhttp.Write(w, http.StatusOK, x.Explain(r.Context(), q))
	})
}

// ServePeer answers at [PeerPath].
func (x *Explainer) ServePeer(w http.ResponseWriter, r *http.Request) {
	jsonhttp.Handler(x.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		values := r.URL.Query()
		q, err := ParseQuery(values.Get(parameterApp), values, time.Now())
		if err != nil {
			return err
		}
		if !enter(x.told) {
			return tooMany()
		}
		defer leave(x.told)
		return jsonhttp.Write(w, http.StatusOK, x.cfg.Memory.Report(r.Context(), q))
	}).ServeHTTP(w, r)
}

func enter(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

func leave(places chan struct{}) { <-places }

func tooMany() error {
	return jsonhttp.Refuse(http.StatusTooManyRequests, "Ten questions are being answered; try again.")
}

// Explain asks all nodes and returns what is known.
func (x *Explainer) Explain(ctx context.Context, q Query) Explanation {
	own := make(chan *Report, 1)
	go func() { own <- x.cfg.Memory.Report(ctx, q) }()
	values := q.Values()
	values.Set(parameterApp, q.App)
	answers := survey.Ask(ctx, x.cfg.Peers(), PeerPath, values)
	reports := []*Report{<-own}
	out := Explanation{Nodes: []Node{nodeOf(reports[0])}}
	var missing []string
	for _, a := range answers {
		r, detail := new(Report), ""
		if a.Err != nil {
			detail = a.Err.Error()
		} else if json.Unmarshal(a.Body, r) != nil {
			detail = "has answered what can not be read: it may be of another version"
		}
		if detail != "" {
			missing = append(missing, a.Peer.Name)
			out.Nodes = append(out.Nodes, Node{Name: a.Peer.Name, Detail: detail})
			continue
		}
		r.Name = a.Peer.Name
		reports = append(reports, r)
		out.Nodes = append(out.Nodes, nodeOf(r))
	}
	out.Event, out.Others, out.Findings = Judge(q, reports, missing)
	return out
}

// nodeOf says from when on a node knows something.
func nodeOf(r *Report) Node {
	n := Node{Name: r.Name, Answered: true}
	if r.Off {
		n.Detail = "keeps no journal (console.journal is 0)"
		return n
	}
	since := func(lost int64) *time.Time {
		t := time.Unix(0, max(lost, r.Began)).UTC().Truncate(time.Millisecond)
		return &t
	}
	n.Events, n.Lives = since(r.Horizon.Events), since(r.Horizon.Lives)
	return n
}
