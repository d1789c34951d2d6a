package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/engine"
)

// A fakeCluster is what a handler is told of a cluster, and what it asks for.
type fakeCluster struct {
	status    ClusterStatus
	err       error
	removed   []string
	removeErr error
	drains    int
}

func (f *fakeCluster) config() Config {
	return Config{
		Access:  access.New(access.Config{Token: testToken, Insecure: true}),
		Cluster: func(context.Context) (ClusterStatus, error) { return f.status, f.err },
		RemoveNode: func(_ context.Context, name string) error {
			f.removed = append(f.removed, name)
			return f.removeErr
		},
		Drain:    func() { f.drains++ },
		Draining: func() (bool, int) { return false, 7 },
	}
}

// threeNodes is a cluster in which all is well, seen from n1. n3 is a witness.
func threeNodes() ClusterStatus {
	s := ClusterStatus{
		Node:   ThisNode{ID: "AAAAAAAAAAAAAAAA", Name: "n1", Version: "v1", Since: time.Unix(1e9, 0).UTC(), State: StateReady},
		Quorum: true, Settled: true, LeaseMS: 5000, GraceMS: 5000, PendingLimit: 1000,
		Engine: EngineStatus{Embedded: true, Peers: []EnginePeer{
			{Name: "n1", Current: true}, {Name: "n2", Leader: true, Current: true}, {Name: "n3", Current: true},
		}},
		Nodes: []NodeStatus{
			{Name: "n3", ID: "CCCCCCCCCCCCCCCC", Version: "v1", Witness: true, State: StateReady, Leader: true},
			{Name: "n1", ID: "AAAAAAAAAAAAAAAA", Version: "v1", Self: true, State: StateReady, Sockets: 5, Lease: &LeaseStatus{Contributions: 3}},
			{Name: "n2", ID: "BBBBBBBBBBBBBBBB", Version: "v1", State: StateReady, LastHeardMS: 40, Lease: &LeaseStatus{}},
		},
		Log: &LogStatus{Stream: "belfry-roster", Leader: "n3", Position: 12, Current: true},
	}
	return s
}

func TestClusterIsTold(t *testing.T) {
	f := newFixture(t)
	a := f.expect(f.call("GET", "/api/v1/cluster", ""), 200,
		`"node":{"id":"AAAAAAAAAAAAAAAA","name":"n1","version":"v1","since":"2001-09-09T01:46:40Z","state":"ready"}`, `"quorum":true`, `"state":"ok"`,
		`"contributions":3`, `"problems":[]`, `"notes":[]`)
	var names []string
	for _, n := range a.member("nodes").([]any) {
		names = append(names, n.(map[string]any)["name"].(string))
	}
	if want := []string{"n1", "n2", "n3"}; !slices.Equal(names, want) {
		t.Errorf("nodes = %v, want %v", names, want)
	}
	f.cluster.status.Nodes, f.cluster.status.Log, f.cluster.status.Engine = nil, nil, EngineStatus{Err: errors.New("away")}
	f.expect(f.call("GET", "/api/v1/cluster", ""), 200, `"nodes":[]`, `"peers":[]`, `"state":"unavailable"`)
	f.expect(f.call("GET", "/api/v1/cluster?verbose=1", ""), 400)
	f.cluster.err = errors.New("disk on fire")
	a = f.expect(f.call("GET", "/api/v1/cluster", ""), 503, "can not be told now")
	if strings.Contains(a.text, "fire") || !strings.Contains(f.log.String(), "disk on fire") {
		t.Errorf("the cause is told or not logged: %s", a.text)
	}
}

func TestMembersThatNobodyHears(t *testing.T) {
	f := newFixture(t)
	f.cluster.status.Nodes = f.cluster.status.Nodes[1:2]
	f.cluster.status.Engine.Peers[2].Offline = true
	f.cluster.status.Engine.Peers[2].LastHeardMS = 90_400
	f.cluster.status.Engine.Peers[2].Witness = true
	f.expect(f.call("GET", "/api/v1/cluster", ""), 200,
		`{"name":"n2","self":false,"witness":false,"state":"unheard",`, `{"name":"n3","self":false,"witness":true,"state":"absent","last_heard_ms":90400,`,
		"n3 is not here (last heard 1m30s ago)", "belfry cluster remove n3", "n1 hears nothing from it")
	if len(f.cluster.status.Nodes) != 1 {
		t.Error("what the node told was changed in place")
	}
}

// A witness hears of others by the engine alone, and others so of it. That is
// no news.
func TestWitnessesSpeakByTheEngine(t *testing.T) {
	s := threeNodes()
	s.Nodes, s.Engine.Peers[2].Witness = s.Nodes[1:], true
	s.complete()
	if n := s.Nodes[2]; n.Name != "n3" || !n.Witness || n.State != StateReady || len(s.Problems)+len(s.Notes) > 0 {
		t.Errorf("a node says of the witness %+v, %v, %v", n, s.Problems, s.Notes)
	}
	s = threeNodes()
	s.Nodes[0].Self, s.Nodes = true, s.Nodes[:1]
	s.complete()
	if n := s.Nodes[0]; n.Name != "n1" || n.Witness || n.State != StateReady || len(s.Problems)+len(s.Notes) > 0 {
		t.Errorf("the witness says of a node %+v, %v, %v", n, s.Problems, s.Notes)
	}
}

// The engine takes long to notice that a member is gone.
func TestMembersThatAreGone(t *testing.T) {
	for name, tt := range map[string]struct {
		heard int64
		led   bool
		state NodeState
		away  bool
	}{
		"heard":        {4_000, true, StateUnheard, false},
		"silent":       {6_000, true, StateSuspect, true},
		"given up":     {11_000, true, StateAbsent, true},
		"has led":      {0, true, StateAbsent, true}, // and the next leader has never heard it
		"nobody knows": {0, false, StateAbsent, true},
	} {
		s := threeNodes()
		s.Nodes = s.Nodes[:2] // n2 is missing
		s.Engine.Peers[0].Leader, s.Engine.Peers[1].Leader = tt.led, false
		s.Engine.Peers[1].LastHeardMS, s.Engine.Peers[1].Current = tt.heard, tt.state == StateUnheard
		s.complete()
		if got := s.Nodes[1]; got.Name != "n2" || got.State != tt.state || s.Engine.Peers[1].Offline != tt.away {
			t.Errorf("%s: %+v, offline: %t; want %s, %t", name, got, s.Engine.Peers[1].Offline, tt.state, tt.away)
		}
		if slices.Contains(codes(s.Problems), FindCatchingUp) {
			t.Errorf("%s: a node that is gone is told to catch up", name)
		}
	}
}

// A member that runs is there, whatever the engine says yet.
func TestMembersThatAreBack(t *testing.T) {
	s := threeNodes()
	s.Engine.Peers[1].Offline = true
	s.complete()
	if s.Engine.Peers[1].Offline || len(s.Problems) > 0 {
		t.Errorf("n2 is heard, and is said to be away: %v", s.Problems)
	}
}

// findings are cases of what can be wrong, by the one code that must be found.
var findings = map[FindingCode]func(*ClusterStatus){
	FindRemoved: func(s *ClusterStatus) { s.Engine.Err, s.Quorum = engine.ErrRemoved, false },
	FindNoQuorum: func(s *ClusterStatus) {
		s.Quorum, s.Engine.Err, s.Log.Leader = false, engine.ErrNoQuorum, ""
	},
	FindCutOff:   func(s *ClusterStatus) { s.Node.State = StateCutOff },
	FindDiskFull: func(s *ClusterStatus) { s.Engine.Err = engine.ErrDiskFull },
	FindEngine:   func(s *ClusterStatus) { s.Engine.Err, s.Quorum = engine.ErrUnavailable, false },
	FindNotMember: func(s *ClusterStatus) {
		s.Engine.Peers = slices.DeleteFunc(s.Engine.Peers, func(p EnginePeer) bool { return p.Name == s.Node.Name })
		s.Engine.Peers[0].Leader, s.Engine.Peers = true, append(s.Engine.Peers, EnginePeer{Name: "n4", Current: true, Witness: true})
	},
	FindOtherRelease: func(s *ClusterStatus) {
		s.OtherReleases = []string{"ABCDEFGHIJKLMNOP speaks version 9, and this node 3"}
	},
	FindSettings: func(s *ClusterStatus) { s.Nodes[2].Differs = []string{"cluster.lease is 10s there and 5s here"} },
	FindGivenUp: func(s *ClusterStatus) {
		at := time.Now()
		s.Log.GivenUp, s.Log.GivenUpAt = 1, &at
	},
	FindStoreMissing:  func(s *ClusterStatus) { s.Engine.Lost = []LostStore{{Stream: "KV_belfry_apps", Missing: true}} },
	FindStore:         func(s *ClusterStatus) { s.Engine.Lost = []LostStore{{Stream: "KV_belfry_apps"}} },
	FindNoLogLeader:   func(s *ClusterStatus) { s.Log.Leader = "" },
	FindDuplicateName: func(s *ClusterStatus) { s.Nodes[0].Name, s.Engine.Peers = "n2", s.Engine.Peers[:2] },
	FindAbsent:        func(s *ClusterStatus) { s.Nodes, s.Engine.Peers[2].Offline = s.Nodes[1:], true },
	FindSuspect:       func(s *ClusterStatus) { s.Nodes[2].State, s.Nodes[2].LastHeardMS = StateSuspect, 6000 },
	FindUnheard:       func(s *ClusterStatus) { s.Nodes = s.Nodes[:2] },
	FindLeaseSuspect:  func(s *ClusterStatus) { s.Nodes[2].Lease.Suspect = true },
	FindLinkFull:      func(s *ClusterStatus) { s.Nodes[2].PendingBytes = 501 },
	FindCatchingUp:    func(s *ClusterStatus) { s.Engine.Peers[2].Current = false },
	FindLogLag:        func(s *ClusterStatus) { s.Log.Lag = tooFarBehind + 1 },
	FindNotSettled:    func(s *ClusterStatus) { s.Settled = false },
	FindTwoNodes:      func(s *ClusterStatus) { s.Nodes, s.Engine.Peers = s.Nodes[1:], s.Engine.Peers[:2] },
	FindLost:          func(s *ClusterStatus) { s.Nodes[2].Lost = 1 },
	FindDrops:         func(s *ClusterStatus) { s.Counters.Drops = 1 },
	FindVersions:      func(s *ClusterStatus) { s.Nodes[2].Version = "v2" },
	FindGoing:         func(s *ClusterStatus) { s.Nodes[2].State = StateLeaving },
	FindUntold:        func(s *ClusterStatus) { s.Nodes[2].Lease.Untold, s.Nodes[2].State = 4, StateAbsent },
}

// along are findings that can not come without another one.
var along = map[FindingCode][]FindingCode{
	FindDuplicateName: {FindTwoNodes},
	FindUntold:        {FindAbsent},
}

// isNote are the codes that do not say that something is wrong.
var isNote = []FindingCode{FindStore, FindGivenUp, FindUnheard, FindTwoNodes, FindLost, FindDrops, FindVersions, FindGoing, FindUntold}

func codes(list []Finding) []FindingCode {
	var all []FindingCode
	for _, f := range list {
		all = append(all, f.Code)
	}
	return all
}

func TestFindings(t *testing.T) {
	for code, spoil := range findings {
		s := threeNodes()
		spoil(&s)
		s.complete()
		want := append([]FindingCode{code}, along[code]...)
		got := append(codes(s.Problems), codes(s.Notes)...)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %v, want %v", code, got, want)
		}
		if wrong := slices.Contains(codes(s.Problems), code); wrong == slices.Contains(isNote, code) {
			t.Errorf("%s is a problem: %t", code, wrong)
		}
		for _, p := range s.Problems {
			if p.Advice == "" || strings.Contains(p.Text, "%!") {
				t.Errorf("%s says %q and advises %q", p.Code, p.Text, p.Advice)
			}
		}
	}
}

// Programs know findings by their codes, so the description has all of them.
func TestEveryFindingIsDescribed(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	var described []FindingCode
	for _, v := range doc.Components.Schemas["Finding"].Value.Properties["code"].Value.Enum {
		described = append(described, FindingCode(v.(string)))
	}
	for _, code := range described {
		if findings[code] == nil {
			t.Errorf("%s is described, and there is no such finding", code)
		}
	}
	for code := range findings {
		if !slices.Contains(described, code) {
			t.Errorf("%s is not described", code)
		}
	}
}

// What has no quorum says who is missing and how many would do.
func TestNoQuorumNamesTheMissing(t *testing.T) {
	s := threeNodes()
	s.Quorum, s.Engine.Err = false, engine.ErrNoQuorum
	s.Engine.Peers[1].Leader, s.Nodes = false, s.Nodes[1:2]
	s.complete()
	if got, want := s.Problems[0].Text, "1 of 3 nodes are here, and 2 are needed. Missing: n2, n3."; !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
}

func TestRemoveNode(t *testing.T) {
	absent := func(s *ClusterStatus) { s.Nodes, s.Engine.Peers[2].Offline = s.Nodes[1:], true }
	for name, tt := range map[string]struct {
		spoil   func(*ClusterStatus)
		err     error
		body    string
		status  int
		want    string
		removes bool
	}{
		"absent":        {absent, nil, `{"name":"n3"}`, 204, "", true},
		"gone meantime": {absent, engine.ErrUnknownPeer, `{"name":"n3"}`, 404, "no node", true},
		"engine fails":  {absent, engine.ErrUnavailable, `{"name":"n3"}`, 503, "is not known", true},
		"self":          {absent, nil, `{"name":"n1"}`, 409, "belfry drain", false},
		"alive":         {absent, nil, `{"name":"n2"}`, 409, "n2 is running (ready)", false},
		"suspect": {func(s *ClusterStatus) { s.Nodes[2].State, s.Nodes[2].LastHeardMS = StateSuspect, 6000 }, nil, `{"name":"n2"}`, 409,
			"last heard 6s ago. It can be removed when it is given up, 10s after", false},
		"unheard":  {func(s *ClusterStatus) { s.Nodes = s.Nodes[:2] }, nil, `{"name":"n2"}`, 409, "running (unheard)", false},
		"unknown":  {absent, nil, `{"name":"n4"}`, 404, `no node \"n4\"`, false},
		"nobody":   {absent, nil, "", 422, `"name":"name"`, false},
		"slip":     {absent, nil, `{"nam":"n3"}`, 400, "is unknown", false},
		"external": {func(s *ClusterStatus) { s.Engine = EngineStatus{} }, nil, `{"name":"n3"}`, 409, "external NATS", false},
		"no quorum": {func(s *ClusterStatus) {
			s.Nodes, s.Quorum, s.Engine.Peers[1].Leader = s.Nodes[1:2], false, false
		}, nil, `{"name":"n3"}`, 503, "only be removed with a quorum. 1 of 3", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tt.spoil(&f.cluster.status)
			f.cluster.removeErr = tt.err
			f.expect(f.call("POST", "/api/v1/cluster/remove", tt.body), tt.status, tt.want)
			if got := slices.Equal(f.cluster.removed, []string{"n3"}); got != tt.removes || !tt.removes && len(f.cluster.removed) > 0 {
				t.Errorf("removed %v, want to be asked: %t", f.cluster.removed, tt.removes)
			}
		})
	}
}

// A node that was started again under its name is not removed with the life
// that it had before.
func TestRemoveSparesTheNextLife(t *testing.T) {
	f := newFixture(t)
	s := &f.cluster.status
	s.Nodes = append(s.Nodes, NodeStatus{Name: "n2", ID: "DDDDDDDDDDDDDDDD", State: StateAbsent})
	f.expect(f.call("POST", "/api/v1/cluster/remove", `{"name":"n2"}`), 409, "n2 is running")
	if len(f.cluster.removed) > 0 {
		t.Errorf("removed %v", f.cluster.removed)
	}
}

func TestDrain(t *testing.T) {
	f := newFixture(t)
	before := f.expect(f.call("GET", "/api/v1/drain", ""), 200, `"draining":false,"connections":7`)
	f.expect(f.call("POST", "/api/v1/drain?now=1", ""), 400)
	f.expect(f.call("POST", "/api/v1/drain", `{"now":true}`), 400)
	if f.cluster.drains != 0 {
		t.Error("a request that was refused drains")
	}
	for range 2 {
		f.expect(f.call("POST", "/api/v1/drain", ""), 202, `"draining":true,"connections":7`)
	}
	if f.cluster.drains != 1 {
		t.Errorf("Drain was called %d times, want once", f.cluster.drains)
	}
	after := f.expect(f.call("GET", "/api/v1/drain", ""), 200, `"draining":true`)
	if before.member("since") != after.member("since") || before.member("since") == "" {
		t.Errorf("since = %v, then %v, want the same", before.member("since"), after.member("since"))
	}
}

// A node that is alone has no cluster, and one that is told nothing of it can
// not be drained.
func TestNodeThatIsAlone(t *testing.T) {
	f := newFixture(t)
	f.handler = New(Config{Access: access.New(access.Config{Token: testToken})})
	f.expect(f.call("GET", "/api/v1/cluster", ""), 404, "This node is alone")
	f.expect(f.call("POST", "/api/v1/cluster/remove", `{"name":"n3"}`), 404, "This node is alone")
	f.expect(f.call("GET", "/api/v1/drain", ""), 404, "SIGTERM")
	f.expect(f.call("POST", "/api/v1/drain", ""), 404, "SIGTERM")
}

func TestWitnessHasNoApps(t *testing.T) {
	f := newFixture(t)
	c := f.cluster.config()
	c.API = WitnessRoutes()
	f.handler = New(c)
	f.expect(f.call("GET", "/api/v1/cluster", ""), 200, `"name":"n1"`)
	for _, path := range []string{"/api/v1/apps", "/api/v1/apps/1", "/api/v1/usage", "/api/v1/apps/1/usage", "/api/v1/webhooks", "/api/v1/webhooks/dead-letters"} {
		f.expect(f.call("GET", path, ""), 404, "This node is a witness")
	}
	f.expect(f.call("POST", "/api/v1/apps", `{}`), 404, "This node is a witness")
	f.expect(f.call("POST", "/api/v1/webhooks/replay", `{}`), 404, "This node is a witness")
	f.expect(f.call("PUT", "/api/v1/apps", ""), 405)
}
