package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// A Peer is a member of the group of nodes that decide together which streams
// there are and where their copies are. A node that ends is a member until it
// is removed: more than half of all members must be there.
type Peer struct {
	Name    string        // as in Cluster.Name; its ID while nobody knows it
	ID      string        // what JetStream calls it
	Self    bool          // this node
	Leader  bool          // of the group
	Current bool          // it has all that the leader has
	Offline bool          // it has not been heard of
	Lag     uint64        // decisions that it has not got
	Seen    time.Duration // how long ago it was heard of; 0 for the leader
}

// askTimeout bounds how long the leader is waited for.
const askTimeout = 2 * time.Second

// Subjects of the server's own API.
const (
	askState  = "$SYS.REQ.SERVER.PING.JSZ"
	askRemove = natsserver.JSApiRemoveServer
)

// Peers returns the members in the order of their names, as their leader sees
// them. Without a leader it is what this node knows; then nobody is Leader or
// Current. Alone, or with an external engine, there are none.
func (e *Engine) Peers(ctx context.Context) ([]Peer, error) {
	if !e.Clustered() {
		return nil, nil
	}
	meta, err := e.leaderView(ctx)
	if err != nil {
		if meta = e.ownView(); meta == nil {
			return nil, ErrUnavailable
		}
		meta.Leader = ""
	}
	var list []Peer
	if meta.Leader != "" {
		list = append(list, Peer{Name: meta.Leader, ID: meta.Peer, Leader: true, Current: true})
	}
	for _, r := range meta.Replicas {
		p := Peer{Name: r.Name, ID: r.Peer, Offline: r.Offline, Lag: r.Lag, Seen: r.Active}
		p.Current = r.Current && meta.Leader != ""
		if strings.Contains(p.Name, " ") { // a sentence that says that the name is unknown
			p.Name = p.ID
		}
		if p.Name != meta.Leader {
			list = append(list, p)
		}
	}
	for i := range list {
		list[i].Self = list[i].Name == e.cfg.Cluster.Name
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// leaderView is what the leader of the members says of them.
func (e *Engine) leaderView(ctx context.Context) (*natsserver.MetaClusterInfo, error) {
	var answer struct {
		Data *natsserver.JSInfo `json:"data"`
	}
	if err := e.ask(ctx, askState, map[string]any{"leader_only": true}, &answer); err != nil {
		return nil, err
	}
	if answer.Data == nil || answer.Data.Meta == nil {
		return nil, ErrUnavailable
	}
	return answer.Data.Meta, nil
}

// ownView is what this node knows of the members, or nil.
func (e *Engine) ownView() *natsserver.MetaClusterInfo {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	info, err := s.Jsz(&natsserver.JSzOptions{})
	if err != nil {
		return nil
	}
	return info.Meta
}

// ask sends a request to the system account.
func (e *Engine) ask(ctx context.Context, subject string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := e.system.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("engine: the leader does not answer: %w", err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("engine: answer of the leader: %w", err)
	}
	return nil
}

// Remove takes a node that will not come back out of the group. It does not
// count any more when more than half are asked for, and others get its
// copies. The node is named as [Engine.Peers] names it. It should have
// ended: one that runs loses its part in JetStream. A node of the same name
// may join again after five minutes.
//
// It needs a quorum, of which the removed one is still a part.
func (e *Engine) Remove(ctx context.Context, name string) error {
	if !e.Clustered() {
		return ErrUnknownPeer
	}
	asked, again := false, false
	err := retry.Retry(ctx, func() (bool, error) {
		var err error
		again, err = e.remove(ctx, name)
		if asked && errors.Is(err, ErrUnknownPeer) {
			return false, nil // the answer got lost
		}
		asked = true
		return again, err
	})
	if err != nil && again { // ctx has ended
		return fmt.Errorf("engine: remove %s: %w", name, err)
	}
	return err
}

// remove tries once, and reports whether it is worth trying again.
func (e *Engine) remove(ctx context.Context, name string) (again bool, err error) {
	peers, err := e.Peers(ctx)
	if err != nil {
		return true, err
	}
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == name || p.ID == name })
	if i < 0 {
		return false, fmt.Errorf("%w: %s", ErrUnknownPeer, name)
	}
	var answer natsserver.JSApiMetaServerRemoveResponse
	err = e.ask(ctx, askRemove, natsserver.JSApiMetaServerRemoveRequest{Server: peers[i].Name, Peer: peers[i].ID}, &answer)
	switch {
	case err != nil:
		return true, err
	case answer.Error != nil && answer.Error.ErrCode == uint16(natsserver.JSClusterServerMemberChangeInflightErr):
		return true, answer.Error
	case answer.Error != nil:
		return false, fmt.Errorf("engine: remove %s: %w", name, answer.Error)
	}
	e.log.Info("node removed from the cluster", "node", peers[i].Name)
	return false, nil
}

// Leader is the name of the server that leads a stream; empty if there is
// none, or that can not be found out. It is the node's name if the engine is
// embedded.
func (e *Engine) Leader(ctx context.Context, stream string) string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := e.js.Stream(ctx, stream)
	if err != nil {
		return ""
	}
	if cluster := s.CachedInfo().Cluster; cluster != nil {
		return cluster.Leader
	}
	return ""
}
