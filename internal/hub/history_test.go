package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// keeping switches history on.
func keeping(app *apps.App) {
	app.History = apps.History{Enabled: true, TTL: 2 * time.Minute, Events: 1000, Bytes: 256 << 10, AppBytes: 64 << 20, Rewind: 100}
}

// keepingNode is a node whose app has a history.
func keepingNode(t rapid.TB, changes ...func(*apps.App)) *testNode {
	app := testApp()
	keeping(app)
	for _, change := range changes {
		change(app)
	}
	return newNodeWith(t, Config{Node: node.NewID()}, app)
}

// A returner is a client that knows how to ask for what it has missed.
type returner struct {
	*client
	channel  string
	position map[string]string // the last of each publisher
	sockets  []string
	verdicts []verdict // since the last look
	messages []string  // of events, in order
	waiting  int
}

type verdict struct {
	Recovered *bool
	Reason    string
	Replayed  int
	Position  string
}

func (v verdict) String() string {
	switch {
	case v.Recovered == nil:
		return fmt.Sprintf("replayed %d", v.Replayed)
	case *v.Recovered:
		return fmt.Sprintf("recovered %d", v.Replayed)
	}
	return fmt.Sprintf("%s %d", v.Reason, v.Replayed)
}

func newReturner(n *testNode, channel string) *returner {
	r := &returner{channel: channel, position: make(map[string]string)}
	r.connect(n)
	return r
}

// connect connects the client to a node, where it may go on.
func (r *returner) connect(n *testNode) {
	n.t.Helper()
	r.client = n.connect()
	r.client.session.socket = r
	r.sockets = append(r.sockets, r.session.ID().String())
}

// Send implements [Socket].
func (r *returner) Send(f *frame.Frame) {
	var m struct{ Event, Data, Position string }
	_ = json.Unmarshal(f.Message(), &m)
	if m.Position != "" {
		publisher, _, _ := strings.Cut(m.Position, "-")
		r.position[publisher] = max(r.position[publisher], m.Position)
		r.messages = append(r.messages, m.Data)
	}
	if m.Event == protocol.EventResume {
		var v verdict
		if err := json.Unmarshal([]byte(m.Data), &v); err != nil {
			r.client.node.t.Fatal(err)
		}
		clear(r.position)
		for place := range strings.SplitSeq(v.Position, ",") {
			publisher, _, _ := strings.Cut(place, "-")
			r.position[publisher] = place
		}
		r.verdicts = append(r.verdicts, v)
	}
	r.client.Send(f)
}

// State implements [Watched].
func (r *returner) State() (int, time.Time) { return r.waiting, time.Time{} }

// where is the client's position.
func (r *returner) where() string {
	return strings.Join(slices.Sorted(maps.Values(r.position)), ",")
}

// ask subscribes with a member "resume".
func (r *returner) ask(resume string) {
	auth := ""
	if protocol.KindOf(r.channel).Private() {
		auth = token("key", "secret", protocol.ChannelText(r.session.ID(), r.channel))
	}
	r.client.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":%s,"resume":%s}}`, quote(r.channel), quote(auth), resume)
}

// resume subscribes from where the client has been.
func (r *returner) resume() {
	ids, _ := json.Marshal(r.sockets)
	r.ask(fmt.Sprintf(`{"position":%s,"socket_ids":%s}`, quote(r.where()), ids))
}

// expectVerdicts reads, and complains of anything but those verdicts.
func (r *returner) expectVerdicts(want ...string) {
	r.client.node.t.Helper()
	r.client.node.loops.run()
	var got []string
	for _, v := range r.verdicts {
		got = append(got, v.String())
	}
	r.verdicts = nil
	if !slices.Equal(got, want) {
		r.client.node.t.Errorf("the verdicts are %q, want %q", got, want)
	}
}

// expectMessages complains of anything but those events since the last look.
func (r *returner) expectMessages(want ...string) {
	r.client.node.t.Helper()
	r.client.node.loops.run()
	got := r.messages
	r.messages = nil
	if !slices.Equal(got, want) {
		r.client.node.t.Errorf("the events are %q, want %q", got, want)
	}
}

func numbers(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

func (n *testNode) triggerNumbers(channel string, from, to int) {
	for i := from; i <= to; i++ {
		n.trigger(channel, "e", strconv.Itoa(i))
	}
}

func TestClientThatComesBackGetsWhatItMissed(t *testing.T) {
	for _, channel := range []string{"news", "private-news", "private-encrypted-news"} {
		synctest.Test(t, func(t *testing.T) { comeBack(t, channel) })
	}
}

func comeBack(t *testing.T, channel string) {
	n := keepingNode(t)
	r := newReturner(n, channel)
	r.ask(`{}`)
	r.expectVerdicts("replayed 0")
	n.triggerNumbers(channel, 1, 3)
	r.expectMessages(numbers(1, 3)...)
	r.session.End(Ending{})
	n.triggerNumbers(channel, 4, 500)
	r.connect(n)
	r.resume()
	n.pause(10)
	r.expectVerdicts("recovered 497")
	n.triggerNumbers(channel, 501, 502)
	r.expectMessages(numbers(4, 502)...)
	r.session.End(Ending{})
	r.connect(n)
	r.resume()
	r.expectVerdicts("recovered 0")
}

// pause lets clients take what they were sent, as often as said.
func (n *testNode) pause(times int) {
	for range times {
		n.loops.run()
		time.Sleep(2 * replayPause)
		synctest.Wait()
		n.loops.run()
	}
}

// The answer to the subscription comes first, then what was missed, then the
// verdict.
func TestOrderOfAResumedSubscription(t *testing.T) {
	n := keepingNode(t)
	r := newReturner(n, "news")
	r.ask(`{}`)
	r.session.End(Ending{})
	n.trigger("news", "e", "1")
	r.connect(n)
	r.resume()
	n.trigger("news", "e", "2")
	got := r.read()
	for i, want := range []string{succeeded("news"), "e @news 1", `belfry:resume @news {"recovered":true,`, "e @news 2"} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Fatalf("the frames are %q, want number %d to begin with %q", got, i, want)
		}
	}
}

func TestHistoryThatIsOffChangesNothing(t *testing.T) {
	n := newTestNode(t, nil)
	c := n.connect()
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"news","resume":{"position":"A-000000000001"}}}`)
	c.expect(succeeded("news"))
	n.trigger("news", "e", "1")
	c.expect("e @news 1")
	n.trigger("else", "e", "1")
	if n.hub.tenant(n.app).shard("else").has("else") {
		t.Error("a channel without subscribers is there")
	}
	if got := n.hub.tenant(n.app).budget.Used(); got != 0 {
		t.Errorf("%d bytes are kept", got)
	}
}

// The bytes of an event are those of before when the app keeps nothing.
func TestEventHasItsPlaceLast(t *testing.T) {
	n := keepingNode(t, func(a *apps.App) { a.History.Prefixes = []string{"private-"} })
	var got []string
	c := n.connect()
	c.session.socket = socketFunc(func(f *frame.Frame) { got = append(got, string(f.Message())) })
	c.subscribe("news")
	c.subscribe("private-news")
	got = nil
	n.trigger("news", "e", "x")
	n.trigger("private-news", "e", "x")
	n.loops.run()
	want := []string{
		`{"event":"e","channel":"news","data":"x"}`,
		`{"event":"e","channel":"private-news","data":"x","position":"` + string(n.hub.cfg.Node) + `-000000000001"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
}

type socketFunc func(*frame.Frame)

func (f socketFunc) Send(fr *frame.Frame)  { f(fr) }
func (f socketFunc) Close(*protocol.Error) {}

func TestPositionsThatAreNoneAreNotRecovered(t *testing.T) {
	n := keepingNode(t)
	self := string(n.hub.cfg.Node)
	n.triggerNumbers("news", 1, 3)
	for name, test := range map[string]struct{ position, want string }{
		"of a node that is not there": {`"ABCDEFGHIJKLMNOP-000000000001"`, "unknown 0"},
		"not reached yet":             {quote(self + "-0000000000ff"), "unknown 0"},
		"huge":                        {quote(self + "-ffffffffffff"), "unknown 0"},
		"short":                       {quote(self + "-01"), "malformed 0"},
		"garbage":                     {`"💥"`, "malformed 0"},
		"negative":                    {quote(self + "--00000000001"), "malformed 0"},
		"a number":                    {`7`, "malformed 0"},
		"a list":                      {`[]`, "malformed 0"},
		"too many":                    {quote(strings.Repeat("A-000000000001,", 1000) + "B-000000000001"), "unknown 0"},
		"too many publishers":         {quote(manyPublishers()), "malformed 0"},
		"here":                        {quote(self + "-000000000003"), "recovered 0"},
	} {
		r := newReturner(n, "news")
		r.ask(`{"position":` + test.position + `}`)
		n.loops.run()
		if len(r.verdicts) != 1 || r.verdicts[0].String() != test.want {
			t.Errorf("%s: the verdicts are %v, want %s", name, r.verdicts, test.want)
		}
	}
}

func manyPublishers() string {
	var list []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf("N%d-000000000001", i))
	}
	return strings.Join(list, ",")
}

func TestWhatIsNotKeptAnyMoreIsNotRecovered(t *testing.T) {
	for name, change := range map[string]func(*apps.App){
		"events":         func(a *apps.App) { a.History.Events = 5 },
		"bytes":          func(a *apps.App) { a.History.Bytes = 1000 },
		"bytes of all":   func(a *apps.App) { a.History.AppBytes = 1000 },
		"not at all old": nil,
	} {
		n := keepingNode(t)
		if change != nil {
			n = keepingNode(t, change)
		}
		r := newReturner(n, "news")
		r.ask(`{}`)
		n.loops.run()
		r.verdicts = nil
		r.session.End(Ending{})
		n.triggerNumbers("news", 1, 20)
		r.connect(n)
		r.resume()
		want := "expired 0"
		if change == nil {
			want = "recovered 20"
		}
		n.loops.run()
		if len(r.verdicts) != 1 || r.verdicts[0].String() != want {
			t.Errorf("%s: the verdicts are %v, want %s", name, r.verdicts, want)
		}
	}
}

// The oldest events of all channels go first, whichever channel is written to.
func TestOldestEventsOfAllChannelsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t, func(a *apps.App) { a.History.AppBytes = 20_000 })
		for i := range 200 {
			n.trigger(fmt.Sprint("news-", i%50), "e", strconv.Itoa(i))
			time.Sleep(time.Second / 10)
		}
		r := newReturner(n, "")
		var kept []int
		for i := range 50 {
			r.channel = fmt.Sprint("news-", i)
			r.ask(`{"rewind":100}`)
			n.loops.run()
		}
		for _, m := range r.messages {
			i, _ := strconv.Atoi(m)
			kept = append(kept, i)
		}
		slices.Sort(kept)
		if len(kept) < 50 || kept[0] != 200-len(kept) {
			t.Errorf("kept are %v, want the last ones without a hole", kept)
		}
		if used := n.hub.tenant(n.app).budget.Used(); used > 20_000 {
			t.Errorf("%d bytes are kept, want 20,000 at most", used)
		}
	})
}

func TestEventsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t)
		r := newReturner(n, "news")
		r.ask(`{}`)
		r.expectVerdicts("replayed 0")
		n.trigger("news", "e", "1")
		r.expectMessages("1")
		time.Sleep(10 * time.Minute) // a quiet channel
		r.session.End(Ending{})
		n.trigger("news", "e", "2")
		time.Sleep(time.Minute)
		r.connect(n)
		r.resume()
		r.expectVerdicts("recovered 1")
		r.session.End(Ending{})
		n.trigger("news", "e", "3")
		time.Sleep(3 * time.Minute)
		r.connect(n)
		r.resume()
		r.expectVerdicts("expired 0")
		r.session.End(Ending{})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n.hub.tenant(n.app).shard("news").has("news") {
			t.Error("a channel that nobody can come back to is still there")
		}
		n.trigger("news", "e", "4")
		r.connect(n)
		r.resume()
		r.expectVerdicts("recovered 1") // it has been told where it is now
		r.session.End(Ending{})
		r.connect(n)
		r.ask(`{"position":` + quote(string(n.hub.cfg.Node)+"-000000000001") + `}`)
		r.expectVerdicts("expired 0")
	})
}

func TestExcludedSocketDoesNotGetItsEventLater(t *testing.T) {
	n := keepingNode(t)
	r := newReturner(n, "private-news")
	r.ask(`{}`)
	r.expectVerdicts("replayed 0")
	n.trigger("private-news", "e", "mine", r.client)
	r.client.receive(`{"event":"client-e","channel":"private-news","data":"mine too"}`)
	r.session.End(Ending{})
	n.trigger("private-news", "e", "other")
	r.connect(n)
	r.resume()
	r.expectVerdicts("recovered 1")
	r.expectMessages("other")
}

func TestRewind(t *testing.T) {
	n := keepingNode(t, func(a *apps.App) { a.History.Rewind = 3 })
	n.triggerNumbers("news", 1, 10)
	for ask, want := range map[string]string{
		`{"rewind":2}`: "replayed 2", `{"rewind":0}`: "replayed 0", `{"rewind":100}`: "replayed 3",
		`{"rewind":-1}`: "replayed 0", `{"rewind":"2"}`: "replayed 0", `{"rewind":1e9}`: "replayed 0",
	} {
		r := newReturner(n, "news")
		r.ask(ask)
		n.loops.run()
		if len(r.verdicts) != 1 || r.verdicts[0].String() != want {
			t.Errorf("%s: the verdicts are %v, want %s", ask, r.verdicts, want)
		}
	}
	r := newReturner(n, "news")
	r.ask(`{"rewind":2}`)
	r.expectMessages("9", "10")
	n.trigger("news", "e", "11")
	r.expectMessages("11")
}

// A newcomer to a cache channel gets the cached event once, and whoever comes back
// does not get it again.
func TestCachedEventIsNotSentTwice(t *testing.T) {
	n := keepingNode(t)
	n.triggerNumbers("cache-news", 1, 2)
	r := newReturner(n, "cache-news")
	r.ask(`{}`)
	r.expectMessages("2")
	r.session.End(Ending{})
	r.connect(n)
	r.resume()
	r.expectMessages()
	r.session.End(Ending{})
	n.trigger("cache-news", "e", "3")
	r.connect(n)
	r.resume()
	r.expectMessages("3")
	other := newReturner(n, "cache-news")
	other.ask(`{"rewind":10}`)
	other.expectMessages("1", "2", "3")
	late := newReturner(n, "cache-news")
	late.ask(`{"position":"ABCDEFGHIJKLMNOP-000000000001"}`)
	late.expectMessages("3")
}

// A client that takes little gets what it missed little by little, with what comes
// meanwhile behind it, but hears of members at once.
func TestReplayIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t)
		r := newReturner(n, "news")
		r.ask(`{}`)
		n.loops.run()
		r.session.End(Ending{})
		big := strings.Repeat("x", 1000)
		for range 100 {
			n.trigger("news", "e", big)
		}
		r.verdicts, r.messages = nil, nil
		r.connect(n)
		r.resume()
		n.loops.run()
		first := len(r.messages)
		if first == 0 || first > 40 || len(r.verdicts) > 0 {
			t.Fatalf("%d events and %v came at once, want some and no verdict", first, r.verdicts)
		}
		r.waiting = 1 << 20
		n.trigger("news", "e", "last")
		time.Sleep(time.Second)
		n.loops.run()
		if len(r.messages) != first {
			t.Fatalf("%d more events came to a client that takes none", len(r.messages)-first)
		}
		r.waiting = 0
		n.pause(20)
		r.expectVerdicts("recovered 101")
		if len(r.messages) != 101 || r.messages[100] != "last" {
			t.Errorf("%d events came, and last %.9s", len(r.messages), r.messages[len(r.messages)-1])
		}
		n.trigger("news", "e", "more")
		r.messages = nil
		r.expectMessages("more")
	})
}

// The last events are the last events, however long it takes to send them: also those of
// publishers that come last, and without a word about what else may be missing.
func TestRewindIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t, func(a *apps.App) { a.History.Events = 60 })
		big := strings.Repeat("x", 1000)
		want := []string{}
		for i := range 50 { // those of a peer behind those of this node
			text := fmt.Sprint(i, big)
			if want = append(want, text); i < 40 {
				n.trigger("news", "e", text)
			} else {
				n.fromPeer("news", "PEER", uint64(i), text)
			}
		}
		r := newReturner(n, "news")
		r.ask(`{"rewind":45}`)
		n.loops.run()
		if got := len(r.messages); got == 0 || got > 40 || len(r.verdicts) > 0 {
			t.Fatalf("%d events and %v came at once, want some and no verdict", got, r.verdicts)
		}
		n.fromPeer("news", "OTHER", 7, "new")
		n.pause(20)
		r.expectVerdicts("replayed 46")
		r.expectMessages(append(want[5:], "new")...)

		r = newReturner(n, "news")
		r.ask(`{"rewind":45}`)
		n.loops.run()
		n.triggerNumbers("news", 1, 60) // what was to be sent has to make room
		n.pause(20)
		if len(r.verdicts) != 1 || r.verdicts[0].Recovered != nil || r.verdicts[0].Reason != "expired" {
			t.Errorf("the verdicts are %v, want that the list has a hole", r.verdicts)
		}
	})
}

// fromPeer receives an event that a peer has published.
func (n *testNode) fromPeer(channel string, publisher node.ID, number uint64, text string) {
	t := n.hub.tenant(n.app)
	sh := t.shard(channel)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	before := uint64(0)
	ch := sh.openLocked(channel, protocol.KindOf(channel))
	if mark, known := t.rememberedLocked(ch).log.Position().Of(publisher); known {
		before = mark
	}
	placed := frame.Text(func(b []byte) []byte {
		return protocol.AppendPlaced(b, "e", channel, []byte(quote(text)), "", string(publisher))
	})
	protocol.PutPlace(placed.Message(), number)
	t.deliverKeptLocked(ch, &outgoing{kind: trace.Arrived, origin: publisher, frame: placed, serial: number, before: before})
}

func TestUnsubscribingEndsAResumption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t)
		r := newReturner(n, "news")
		r.ask(`{}`)
		n.loops.run()
		r.session.End(Ending{})
		for range 100 {
			n.trigger("news", "e", strings.Repeat("x", 1000))
		}
		r.connect(n)
		r.resume()
		n.loops.run()
		r.client.unsubscribe("news")
		got := len(r.messages)
		time.Sleep(time.Second)
		synctest.Wait()
		n.loops.run()
		if len(r.messages) != got {
			t.Errorf("%d events came to a client that has left", len(r.messages)-got)
		}
	})
}

// keepingMesh is a mesh whose app has a history, and whose nodes have names.
func keepingMesh(t rapid.TB, size int, changes ...func(*apps.App)) *mesh {
	m := newMesh(t, size, func(app *apps.App) {
		keeping(app)
		for _, change := range changes {
			change(app)
		}
	})
	for i, n := range m.nodes {
		n.hub.cfg.Node = node.ID(fmt.Sprint("node", i))
	}
	return m
}

func TestComingBackToAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 3)
		r := newReturner(m.nodes[0], "news")
		r.ask(`{}`)
		m.settle()
		r.expectVerdicts("replayed 0")
		m.nodes[2].triggerNumbers("news", 1, 3)
		m.settle()
		r.expectMessages(numbers(1, 3)...)
		r.session.End(Ending{})
		m.settle()
		m.nodes[2].triggerNumbers("news", 4, 6)
		m.nodes[1].triggerNumbers("news", 7, 8)
		r.connect(m.nodes[1])
		r.resume()
		m.nodes[2].trigger("news", "e", "9")
		m.settle()
		r.expectVerdicts("recovered 6") // that of meanwhile included
		slices.Sort(r.messages)
		r.expectMessages(numbers(4, 9)...)
	})
}

// What a node that has died had told others is there; what nobody has is said to be
// missing.
func TestComingBackWhenANodeHasDied(t *testing.T) {
	for name, test := range map[string]struct {
		elsewhere bool // another node has subscribers too
		known     bool // its death is
		want      string
	}{
		"told to others":               {true, true, "recovered 2"},
		"told to others, just died":    {true, false, "recovered 2"},
		"told to nobody":               {false, true, "unknown 0"},
		"told to nobody and just died": {false, false, "unknown 0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := keepingMesh(t, 3)
			r := newReturner(m.nodes[0], "news")
			r.ask(`{}`)
			if test.elsewhere {
				m.nodes[1].connect().subscribe("news")
			}
			m.settle()
			m.nodes[0].trigger("news", "e", "1")
			m.settle()
			r.messages, r.verdicts = nil, nil
			r.session.End(Ending{})
			m.settle()
			m.nodes[0].triggerNumbers("news", 2, 3)
			m.settle()
			if test.known {
				m.part(0, 1)
				m.part(0, 2)
			} else {
				m.silence(0)
			}
			m.settle()
			r.connect(m.nodes[2])
			r.resume()
			m.settle()
			for range 30 {
				time.Sleep(recall.Wait + time.Millisecond)
				synctest.Wait()
				m.settle()
			}
			if len(r.verdicts) != 1 || r.verdicts[0].String() != test.want {
				t.Errorf("%s: the verdicts are %v, want %s", name, r.verdicts, test.want)
			}
		})
	}
}

// silence makes nothing come any more from or to a node, which nobody has noticed.
func (m *mesh) silence(i int) {
	for pair, w := range m.wires {
		if pair[0] == i || pair[1] == i {
			w.dead = true
			delete(m.wires, pair)
		}
	}
}

func TestNodeThatEndsHandsOverWhatItKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 3)
		r := newReturner(m.nodes[0], "news")
		r.ask(`{}`)
		m.settle()
		m.nodes[0].trigger("news", "e", "1")
		r.client.node.loops.run()
		r.messages, r.verdicts = nil, nil
		r.session.End(Ending{})
		m.nodes[0].triggerNumbers("news", 2, 4)
		done := make(chan struct{})
		go func() {
			m.nodes[0].hub.HandOver(context.Background())
			close(done)
		}()
		synctest.Wait()
		m.settle()
		<-done
		m.part(0, 1)
		m.part(0, 2)
		for _, i := range []int{2, 1} {
			again := *r
			again.position = maps.Clone(r.position)
			again.connect(m.nodes[i])
			again.resume()
			m.settle()
			again.expectVerdicts("recovered 3")
			again.expectMessages("2", "3", "4")
		}
	})
}

// That a node has published nothing on a channel is known when it is gone, whoever is
// asked.
func TestPublisherOfNothingIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 3)
		r := newReturner(m.nodes[0], "news")
		r.ask(`{}`)
		m.settle()
		r.verdicts = nil
		r.session.End(Ending{})
		m.settle()
		done := make(chan struct{})
		go func() {
			m.nodes[0].hub.HandOver(context.Background())
			close(done)
		}()
		synctest.Wait()
		m.settle()
		<-done
		m.part(0, 1)
		m.part(0, 2)
		for _, i := range []int{2, 1} {
			again := *r
			again.position = maps.Clone(r.position)
			again.connect(m.nodes[i])
			again.resume()
			m.settle()
			again.expectVerdicts("recovered 0")
		}
	})
}

// Messages that were lost between nodes are told to those who care.
func TestSubscriberHearsOfEventsThatWereLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 2)
		r, plain := newReturner(m.nodes[0], "news"), m.nodes[0].connect()
		r.ask(`{}`)
		plain.subscribe("news")
		m.settle()
		r.verdicts = nil
		plain.read()
		m.nodes[1].trigger("news", "e", "1")
		m.settle()
		m.nodes[1].trigger("news", "e", "2")
		w := m.wires[[2]int{1, 0}]
		w.queue, w.gap = nil, true
		m.settle()
		m.nodes[1].trigger("news", "e", "3")
		m.settle()
		r.expectMessages("1", "3")
		r.expectVerdicts("lost 0")
		plain.expect("e @news 1", "e @news 3")
		// Who comes back from before the loss gets it all.
		back := newReturner(m.nodes[0], "news")
		back.ask(`{"position":"node1-000000000001,node0-000000000000"}`)
		m.settle()
		back.expectVerdicts("recovered 2")
		back.expectMessages("2", "3")
	})
}
