package tap

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/survey"
)

const (
	peersTime = time.Second      // between two looks at who belongs to the cluster
	againTime = time.Second      // before a peer is asked again
	maxLine   = maxData*6 + 8192 // of an answer
)

// A gathering is the peers whose rows come into a session.
type gathering struct {
	session *session
	peers   survey.Peers
	began   time.Time

	mu     sync.Mutex
	states map[node.ID]nodeState
	asked  map[node.ID]context.CancelFunc
	told   []nodeState
}

// gather brings the rows of peers until the session ends.
func (s *session) gather(peers survey.Peers) {
	g := &gathering{
		session: s, peers: peers, began: time.Now(),
		states: make(map[node.ID]nodeState), asked: make(map[node.ID]context.CancelFunc),
	}
	var readers sync.WaitGroup
	defer readers.Wait()
	tick := time.NewTicker(peersTime)
	defer tick.Stop()
	for {
		list := peers.List()
		for _, p := range list {
			if g.asked[p.ID] == nil && s.filter.node(p.Name) {
				ctx, cancel := context.WithCancel(s.ctx)
				g.asked[p.ID] = cancel
				readers.Go(func() { g.follow(ctx, p) })
			}
		}
		for id, cancel := range g.asked {
			if !slices.ContainsFunc(list, func(p survey.Peer) bool { return p.ID == id }) {
				cancel()
				delete(g.asked, id)
				g.forget(id)
			}
		}
		g.tell()
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follow brings the rows of one peer. One that does not answer is asked again.
func (g *gathering) follow(ctx context.Context, p survey.Peer) {
	last := ""
	for ctx.Err() == nil {
		err := g.read(ctx, p, &last)
		if ctx.Err() != nil {
			return
		}
		g.set(p, false, err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(againTime):
		}
	}
}

var errSilent = fmt.Errorf("has said nothing for %v", survey.Wait)

// read takes what one answer of a peer brings. Last is the id of the last row, for
// the next request.
func (g *gathering) read(ctx context.Context, p survey.Peer, last *string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(survey.Wait, func() { cancel(errSilent) })
	defer silence.Stop()
	query := maps.Clone(g.session.filter.Query())
	query.Set(parameterApp, g.session.app)
	if *last != "" {
		query.Set(parameterLast, *last)
	}
	response, err := g.peers.Ask(ctx, p.ID, PeerPath, query)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLine)
	for id := ""; lines.Scan(); {
		silence.Reset(survey.Wait)
		g.set(p, true, "")
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			id = value
		case "data":
			g.take(p, value)
			*last = id
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("has ended its answer")
}

// refusal is why a peer does not show its rows.
func refusal(response *http.Response) error {
	var p jsonhttp.Problem
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxLine))
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		return errors.New(p.Detail)
	}
	return fmt.Errorf("answered %d", response.StatusCode)
}

// take takes a row of a peer, or what it says is left out there.
func (g *gathering) take(p survey.Peer, text string) {
	var about gap
	if json.Unmarshal([]byte(text), &about) != nil {
		return
	}
	switch {
	case about.Type == "gap" && about.Count != nil:
		g.session.gap(p.Name, about.Reason, *about.Count)
	case about.Type == "gap":
		g.session.unknown(p.Name, about.Reason)
	default:
		g.session.row(p.Name, []byte(text))
	}
}

// set notes whether a peer's rows come.
func (g *gathering) set(p survey.Peer, answered bool, detail string) {
	g.mu.Lock()
	changed := g.states[p.ID] != nodeState{p.Name, answered, detail}
	g.states[p.ID] = nodeState{p.Name, answered, detail}
	g.mu.Unlock()
	if changed {
		g.tell()
	}
}

func (g *gathering) forget(id node.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.states, id)
}

// tell tells the reader whose rows come, when all have answered or had the time to.
func (g *gathering) tell() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.states) < len(g.peers.List()) && time.Since(g.began) < survey.Wait {
		return
	}
	now := []nodeState{{Name: g.session.taps.cfg.Node, Answered: true}}
	for _, st := range g.states {
		now = append(now, st)
	}
	slices.SortFunc(now[1:], func(a, b nodeState) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Equal(now, g.told) {
		g.told = now
		g.session.tellNodes(now)
	}
}
