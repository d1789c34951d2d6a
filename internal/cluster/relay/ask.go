package relay

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Ask sends a GET request to the [Host.Peer] of a peer and returns its answer,
// whose body comes as the peer writes it. When ctx ends, so does the answer.
// Whoever asks closes the body. Questions have a budget of their own, and take
// none of that of requests that are passed on.
func (r *Relay) Ask(ctx context.Context, to node.ID, path string, query url.Values) (*http.Response, error) {
	if r.asking.Add(1) > maxAsks {
		r.asking.Add(-1)
		return nil, errFull
	}
	u := &url.URL{Scheme: "http", Host: hostPeer, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		r.asking.Add(-1)
		return nil, err
	}
	response, err := r.roundTrip(req, to)
	if err != nil {
		r.asking.Add(-1)
		return nil, err
	}
	response.Body = &countedBody{ReadCloser: response.Body, done: sync.OnceFunc(func() { r.asking.Add(-1) })}
	return response, nil
}

// A countedBody counts as a question until it is closed.
type countedBody struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (b *countedBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
