package inspect

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/survey"
)

// A nodeView says whether a node has its part in an answer.
type nodeView struct {
	Name     string `json:"name"`
	Answered bool   `json:"answered"`
	Problem  string `json:"problem,omitempty"` // why it has not
}

// everywhere puts a question to this node and, with the same query, to all others.
// Without an app the question is about the whole service. It returns what they have answered; this node comes first, and an error of it is
// returned.
func everywhere[T any](a *API, r *http.Request, app *apps.App, path string, local question) (answers []T, nodes []nodeView, err error) {
	var others []survey.Answer
	var asking sync.WaitGroup
	asking.Go(func() { // which has its own bound on time
		at := PeerPath
		if app != nil {
			at += "/apps/" + url.PathEscape(app.ID)
		}
		others = survey.Ask(r.Context(), a.cfg.Peers(), at+path, r.URL.Query())
	})
	own, err := local(r, app)
	asking.Wait()
	if err != nil {
		return nil, nil, err
	}
	answers = append(answers, own.(T))
	nodes = append(nodes, nodeView{Name: a.cfg.Node, Answered: true})
	for _, o := range others {
		var got T
		if o.Err == nil && json.Unmarshal(o.Body, &got) != nil {
			o.Err = errors.New("its answer can not be read; is it of another version?")
		}
		if o.Err != nil {
			nodes = append(nodes, nodeView{Name: o.Peer.Name, Problem: o.Err.Error()})
			continue
		}
		answers = append(answers, got)
		nodes = append(nodes, nodeView{Name: o.Peer.Name, Answered: true})
	}
	return answers, nodes, nil
}
