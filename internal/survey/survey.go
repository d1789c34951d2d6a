// Package survey asks the other nodes of a cluster what they know, on behalf of
// the one that an operator has asked.
//
// A question is the path and query of a GET request, and is answered at a peer by
// the handler that is known there for it. The package knows neither the questions
// nor how requests come to peers: that is a [Peers]. It waits for nobody longer
// than [Wait], and says who has not answered.
//
// The package keeps nothing and takes no locks.
package survey

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Wait is how long a peer has for its answer, or for a sign of life while it
// answers.
const Wait = 2 * time.Second

// maxAnswer is how many bytes of one answer are read.
const maxAnswer = 16 << 20

// A Peer is another node.
type Peer struct {
	ID   node.ID
	Name string
}

// Peers are the other nodes of the cluster, and the way to them. It is safe for
// concurrent use.
type Peers interface {
	// List returns the nodes that belong to the cluster, those included that have
	// not been heard lately.
	List() []Peer
	// Ask sends a GET request to a peer and returns its answer, whose body comes
	// as the peer writes it. When ctx ends, so does the answer. Whoever asks
	// closes the body.
	Ask(ctx context.Context, peer node.ID, path string, query url.Values) (*http.Response, error)
}

// An Answer is what became of a question to one peer.
type Answer struct {
	Peer Peer
	Body []byte
	Err  error // why there is none, in words for an operator
}

// Ask asks all peers the same and returns when all have answered or Wait is over.
// Without peers there are no answers.
func Ask(ctx context.Context, peers Peers, path string, query url.Values) []Answer {
	if peers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, Wait)
	defer cancel()
	list := peers.List()
	answers := make([]Answer, len(list))
	var asked sync.WaitGroup
	for i, p := range list {
		asked.Go(func() {
			body, err := ask(ctx, peers, p.ID, path, query)
			answers[i] = Answer{p, body, err}
		})
	}
	asked.Wait()
	return answers
}

func ask(ctx context.Context, peers Peers, id node.ID, path string, query url.Values) ([]byte, error) {
	response, err := peers.Ask(ctx, id, path, query)
	if err != nil {
		return nil, explain(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, explain(ctx, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %d", response.StatusCode)
	}
	return body, nil
}

// explain says in words for an operator why there is no answer.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("has not answered within %v", Wait)
	}
	return fmt.Errorf("has not answered: %w", err)
}
