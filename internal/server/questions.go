package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/fallback"
	"github.com/belfryhq/belfry/internal/inspect"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/tap"
)

// Operators ask one node, which asks its peers. Their questions go by the relay,
// like requests for sessions, and are told apart by a method that no client can
// use there: those of sessions are GET and POST.
const askMethod = "ASK"

// maxQuestions is how many questions of peers a node answers at a time.
const maxQuestions = 64

// peers are the other nodes, as whoever asks on behalf of an operator knows them;
// nil if there are none.
func (s *Server) peers() survey.Peers {
	if s.cluster.relay == nil {
		return nil // and not an interface that holds nothing
	}
	return &questions{&s.cluster}
}

// questions are asked over a cluster's relay.
type questions struct{ cluster *cluster }

// List implements [survey.Peers].
func (q *questions) List() (list []survey.Peer) {
	for _, p := range q.cluster.broker.Peers() {
		list = append(list, survey.Peer{ID: p.ID, Name: p.Name})
	}
	return list
}

var errNoAnswer = errors.New("the peer has broken off its answer")

// Ask implements [survey.Peers].
func (q *questions) Ask(ctx context.Context, peer node.ID, path string, query url.Values) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	u := url.URL{Scheme: "http", Host: string(peer), Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, askMethod, u.String(), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	body, in := io.Pipe()
	w := &reply{header: make(http.Header), body: in, begun: make(chan struct{})}
	q.cluster.asking.Go(func() {
		defer cancel()
		defer w.end()
		q.cluster.relay.Forward(w, r, peer)
	})
	select {
	case <-w.begun:
		return &http.Response{StatusCode: w.status, Header: w.header, Body: &closing{body, cancel}, Request: r}, nil
	case <-ctx.Done():
		body.Close()
		return nil, errors.Join(errNoAnswer, context.Cause(ctx))
	}
}

// A closing body ends the question when nobody wants to read on.
type closing struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (c *closing) Close() error {
	c.cancel()
	return c.PipeReader.Close()
}

// A reply is where the answer of a peer is written to. One goroutine writes it.
type reply struct {
	header http.Header
	status int
	body   *io.PipeWriter
	begun  chan struct{} // closed when status and header are there
	once   sync.Once
}

// Header implements http.ResponseWriter.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.begun)
	})
}

// Write implements http.ResponseWriter.
func (w *reply) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// FlushError is used by http.ResponseController: nothing is kept here.
func (w *reply) FlushError() error { return nil }

// SetWriteDeadline is used by http.ResponseController. Who asks has a deadline of
// his own.
func (w *reply) SetWriteDeadline(time.Time) error { return nil }

// end is deferred by whoever has the answer written. One that was broken off is
// no whole one.
func (w *reply) end() {
	err := io.EOF
	if p := recover(); p != nil {
		if p != http.ErrAbortHandler {
			panic(p)
		}
		err = errNoAnswer
	}
	w.WriteHeader(http.StatusBadGateway) // if there was no answer at all
	w.body.CloseWithError(err)
}

// relayed answers what peers pass on: requests for sessions, and questions, of
// which so many are answered at a time.
func (s *Server) relayed(sessions *fallback.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(tap.PeerPath, s.tracing.taps.ServePeer)
	mux.HandleFunc(explain.PeerPath, s.tracing.explainer.ServePeer)
	mux.HandleFunc(explain.TimelinePeerPath, s.tracing.explainer.ServeTimelineToPeer)
	mux.Handle(inspect.PeerPath+"/", s.inspection.PeerHandler())
	places := make(chan struct{}, maxQuestions)
	other := sessions.Relayed()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != askMethod {
			other.ServeHTTP(w, r)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Method = http.MethodGet
		mux.ServeHTTP(w, r)
	})
}
