package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// rows counts the rows that Live has, those that say something of others left out.
const rows = `Number(document.querySelector("[aria-label=Rows]").getAttribute("aria-rowcount")) - 1 - document.querySelectorAll(".line.break").length`

// openLive opens Live with filters, and returns when rows come.
func (tb *tab) openLive(query string) {
	tb.t.Helper()
	tb.open("apps/1/live" + query)
	tb.must("screen", map[string]any{"width": 1280, "dark": false}, nil)
	tb.see("This browser reaches the stream.", "Nothing that fits has happened since")
}

// listed waits until texts stand in the list, and unlisted until one does not.
func (tb *tab) listed(texts ...string) {
	tb.t.Helper()
	for _, text := range texts {
		tb.await(fmt.Sprintf(`document.querySelector(".lines").innerText.includes(%q)`, text), true)
	}
}

func (tb *tab) unlisted(text string) {
	tb.t.Helper()
	tb.await(fmt.Sprintf(`document.querySelector(".lines").innerText.includes(%q)`, text), false)
}

// TestLiveShowsWhatHappens: a row for each thing and nothing of the console itself;
// a row has all that is known of it, and leads to what else is.
func TestLiveShowsWhatHappens(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.openLive("")
	w := dialHostile(t, svc)
	tb.listed("Connection", `<script>alert(8)</script>\u{2066}`)
	w.signIn("ann")
	w.subscribe("presence-room", memberData(t, "ann", `{}`))
	triggered(t, svc, "presence-room", "created", `{"order":{"id":12345678901234567890,"name":"a\u202eb"},"list":[1,2]}`, "")
	tb.listed("Signed in", "Subscribed", "Occupied", "Presence event", "API message", "to 1 here")
	tb.await(rows, 6) // and none of the console's own

	tb.press(tb.rowOf("API message"))
	tb.see("Id of the event", "1 here, 0 on other nodes", "As they were sent", `"order": 2 members`, `"name": "a\u{202e}b"`)
	tb.press("As they were sent")
	tb.see(`"id":12345678901234567890`) // which numbers of JavaScript can not say
	tb.accessible("live with a row")
	tb.press("Explain this event")
	tb.see("What this is concluded from", "created")
	tb.evaluate("history.back()", nil)
	tb.see("This browser reaches the stream.", "Id of the event") // it is remembered
	tb.gone("As they were sent")                                  // but for its data
	tb.open("apps/1/live?open=ABCDEFG234567XYZ-1")
	tb.see("The row that was asked for is not here.", "Explain that event")

	triggered(t, svc, "presence-room", "again", "text", "")
	tb.listed("again")
	tb.press(tb.rowOf("API message"))
	tb.press("Send again…")
	tb.await("location.pathname + location.search", "/console/apps/1/events?channel=presence-room&event=again")
	tb.await(`field("Data").value`, "text")
	tb.openLive("") // in which nothing was sent by that
	triggered(t, svc, "presence-room", "created", "text", "")
	tb.press(tb.rowOf("API message"))
	tb.press("Only this channel")
	tb.await("location.search", "?channel=presence-room")
	w.write(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"app-key:wrong"}}`)
	triggered(t, svc, "presence-room", "next", "text", "")
	tb.listed("next")
	tb.unlisted("private-x")

	tb.openLive("?type=client_error,disconnection")
	w.write(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"app-key:wrong"}}`)
	tb.press(tb.rowOf("Client error"))
	tb.see("Invalid signature", "What to do about it", "Explain a missing event")
	tb.press("Close")
	w.conn.Close()
	tb.press(tb.rowOf("Disconnection"))
	tb.see("Closed by", "the network", "Lasted", "Channels", "presence-room")
	tb.press("presence-room")
	tb.await("location.pathname", "/console/apps/1/channels/presence-room")
	tb.press("Watch in Live")
	tb.await("location.search", "?channel=presence-room")
	tb.see("This browser reaches the stream.")
}

// rowOf returns the name of the newest row of a type, when there is one.
func (tb *tab) rowOf(kind string) string {
	tb.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(".lines .line")].find((l) => l.querySelector(".of-type")?.textContent === %q)`, kind)
	tb.await("!!"+find, true)
	var name string
	tb.evaluate(find+`.querySelector("button").textContent.trim().replace(/\s+/g, " ")`, &name)
	return name
}

// TestLiveFiltersInTheService: what is not chosen is not sent, and a link has the
// same filters.
func TestLiveFiltersInTheService(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.openLive("?type=api_message&channel=news-*&event=hello&data=false&rate=full")
	tb.see("Types of rows: 1 of 21")
	for _, label := range [][2]string{{"Channel", "news-*"}, {"Event", "hello"}, {"Rows a second", "full"}} {
		tb.await(fmt.Sprintf("field(%q).value", label[0]), label[1])
	}
	for _, channel := range []string{"other", "news-1", "news-2"} {
		for _, event := range []string{"hello", "bye"} {
			triggered(t, svc, channel, event, "the secret", "")
		}
	}
	dialWire(t, svc).subscribe("news-1", "")
	tb.listed("news-1", "news-2", "hidden")
	tb.await(rows, 2)
	tb.gone("the secret")
	tb.press("On the command line")
	tb.see("belfry tail --app 1 --type api_message --channel 'news-*' --event hello --rate full --no-data", "curl -N")

	tb.fill("Text", "NEWS-2")
	tb.see("1 of 2 rows contain the text.")
	tb.await(rows, 1)
	tb.await("location.search.includes('text=NEWS-2')", true)
	tb.fill("Text", "")
	tb.press("news-1 1") // of the most frequent channels
	tb.await("location.search.includes('channel=news-1')", true)
	tb.press("Types of rows: 1 of 21")
	tb.press("None")
	tb.see("No type of rows is chosen", "Types of rows: 0 of 21")
}

// TestLiveDoesNotMoveWhatIsRead: new rows are counted while the list is paused, a
// row is open or has the focus, or the list is scrolled; by keys too.
func TestLiveDoesNotMoveWhatIsRead(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.openLive("?type=api_message&rate=full")
	next := 0
	trigger := func(n int) {
		for range n {
			next++
			triggered(t, svc, "news", fmt.Sprintf("event-%03d", next), "x", "")
		}
	}
	trigger(40)
	tb.listed("event-040")
	tb.press("Pause")
	trigger(3)
	tb.see("Go on (3 new)")
	tb.unlisted("event-041")
	tb.keys("p")
	tb.listed("event-043")

	tb.evaluate(`document.querySelector(".stream").scrollTop = 400, 0`, nil)
	tb.unlisted("event-043")
	trigger(2)
	tb.see("2 new")
	tb.press("2 new")
	tb.listed("event-045")

	tb.keys("j", "j") // the second row
	tb.await(`document.activeElement.closest(".line").querySelector(".of-event").textContent`, "event-044")
	trigger(1)
	tb.see("1 new")
	tb.keys("Enter")
	tb.see("Id of the event")
	tb.await(`document.querySelector(".row-detail").innerText.includes("event-044")`, true)
	tb.keys("k", "Enter")
	tb.await(`document.querySelector(".row-detail").innerText.includes("event-045")`, true)
	tb.keys("Escape")
	tb.listed("event-046")
	tb.keys("j", "e")
	tb.await("location.pathname", "/console/apps/1/explain")
	tb.evaluate("history.back()", nil)
	tb.see("This browser reaches the stream.")
	trigger(1)
	tb.listed("event-047")
	tb.keys("c")
	tb.unlisted("event-047")
	trigger(1)
	tb.listed("event-048")
	tb.keys("?")
	tb.see("pause, and go on", "clear the list")
}

// TestLiveSaysWhatItDoesNotShow: rows and gaps add up to what has happened, and
// what came while the browser was offline is there afterwards.
func TestLiveSaysWhatItDoesNotShow(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.openLive("?type=api_message&rate=10")
	const events = 120
	be := startGoBackend(t, svc, theApp)
	for range events / 10 {
		batch := make([]batchEvent, 10)
		for i := range batch {
			batch[i] = batchEvent{Channel: "news", Event: "many", Data: "x"}
		}
		if _, err := be.TriggerBatch(batch); err != nil {
			t.Fatal(err)
		}
	}
	tb.see("not shown, to keep the rate that was chosen.")
	tb.evaluate(`URL.createObjectURL = (blob) => (window.exported = blob, "data:,"), 0`, nil)
	tb.await(`(press("Export NDJSON"), exported.text().then((text) => text.trim().split("\n").map((l) => JSON.parse(l)).reduce((sum, r) => sum + (r.type === "gap" ? r.count : 1), 0)))`, events)
	tb.evaluate(`(press("Export CSV"), exported.text())`, new(string))

	tb.openLive("?type=api_message&rate=full&channel=later")
	triggered(t, svc, "later", "before", "x", "")
	tb.listed("before")
	tb.must("offline", map[string]any{"offline": true}, nil)
	tb.see("The stream was cut.", "asked for again by itself")
	triggered(t, svc, "later", "meanwhile", "x", "")
	tb.must("offline", map[string]any{"offline": false}, nil)
	tb.see("The stream goes on.", "meanwhile")
	tb.await(rows, 2)
}

// TestLiveHasTheRowsOfAllNodes and says in its place when one is gone.
func TestLiveHasTheRowsOfAllNodes(t *testing.T) {
	t.Parallel()
	nodes := threeNodes(t, "http://192.0.2.1/hook")
	tb := openConsole(t, nodes[0])
	tb.openLive("?type=api_message")
	tb.see("3 of 3 nodes")
	for i, n := range nodes {
		triggered(t, n, "news", fmt.Sprint("from-", i), "x", "")
	}
	tb.listed("from-0", "from-1", "from-2", "node-1")
	nodes[2].Kill()
	tb.see("This is of 2 of 3 nodes.", "What node-2 has is missing", "Rows of node-2 are missing")
	tb.accessible("live of two of three nodes")
	triggered(t, nodes[1], "news", "meanwhile", "x", "")
	tb.listed("meanwhile")
	nodes[2].Restart()
	tb.see("Rows of node-0, node-1, node-2.")
	tb.gone("This is of 2 of 3 nodes.")
	tb.fill("Node", "node-1")
	tb.await(`location.search.includes("node=node-1")`, true)
	tb.see("This browser reaches the stream.")
	triggered(t, nodes[0], "news", "not wanted", "x", "")
	triggered(t, nodes[1], "news", "wanted", "x", "")
	tb.listed("wanted")
	tb.unlisted("not wanted")
}

// TestLiveSaysWhyItIsRefused and asks again when that is wanted.
func TestLiveSaysWhyItIsRefused(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/live?socket=nonsense")
	tb.see(`socket: "nonsense" is not a socket id such as 1234.5678.`, "Try again")
	tb.fill("Connection", "1.2")
	tb.see("This browser reaches the stream.")
	tb.open("apps/none/live")
	tb.see("There is no such app.")
}

// TestLiveKeepsUp with 500 rows a second for two minutes. What that costs is printed,
// and stands in docs/performance.md.
func TestLiveKeepsUp(t *testing.T) {
	if os.Getenv("E2E_ACCEPTANCE") == "" {
		t.Skip("takes two minutes: make acceptance-console")
	}
	if runtime.GOOS != "linux" {
		t.Skip("what a process costs is read as Linux tells it")
	}
	const rate, lasts = 500, 2 * time.Minute
	svc := service.Start(t, service.Config{})
	be := startGoBackend(t, svc, theApp)
	tb := openConsole(t, svc)
	tb.openLive("?type=api_message&rate=full")
	before := tb.cost()
	tick := time.NewTicker(time.Second * 10 / rate)
	defer tick.Stop()
	begun, sent := time.Now(), 0
	for time.Since(begun) < lasts {
		<-tick.C
		batch := make([]batchEvent, 10)
		for i := range batch {
			sent++
			batch[i] = batchEvent{Channel: fmt.Sprintf("private-orders-%d", sent%50), Event: "created", Data: fmt.Sprintf(`{"order":%d,"items":[{"name":"a thing","price":12.5}]}`, sent)}
		}
		if _, err := be.TriggerBatch(batch); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begun)
	tb.listed(fmt.Sprintf(`"order":%d,`, sent))
	after := tb.cost()
	t.Logf("%d rows in %v: %.1f %% of a processor; heap %.1f MB (%.1f before), own memory of the process %.1f MB (%.1f before), %d elements (%d before)",
		sent, took.Round(time.Second), 100*(after.Seconds-before.Seconds)/took.Seconds(), float64(after.Heap)/1e6, float64(before.Heap)/1e6,
		float64(after.Own)/1e6, float64(before.Own)/1e6, after.Elements, before.Elements)
	tb.await(rows, 5000)
	tb.see(fmt.Sprintf("%s older ones have gone.", grouped(sent-5000)))
	// Whoever reads back is at the oldest, and nothing of what is read moves.
	tb.evaluate(`document.querySelector(".stream").scrollTop = 1e9, 0`, nil)
	tb.listed(fmt.Sprintf(`"order":%d,`, sent-4999))
}

// A cost is what the page of a tab costs.
type cost struct {
	Heap, Own int64   // bytes
	Seconds   float64 // of a processor
	Elements  int
}

func (tb *tab) cost() (c cost) {
	tb.t.Helper()
	tb.must("cost", nil, &c)
	return c
}

// grouped is a number as the page writes it.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// lookAtRows fills Live with what strangers write, with a row open.
func (tb *tab) lookAtRows(svc *service.Service) {
	tb.openLive("?rate=full")
	w := dialHostile(tb.t.(*testing.T), svc)
	w.signIn(hostileUser)
	w.subscribe("news", "")
	if err := w.write(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"<script>alert(13)</script>"}}`); err != nil {
		tb.t.Fatal(err)
	}
	be := startGoBackend(tb.t, svc, theApp)
	if _, err := be.Trigger([]string{"news"}, "<script>alert(14)</script>\u202e", hostileInfo, triggerParams{}); err != nil {
		tb.t.Fatal(err)
	}
	tb.listed("Client error")
	tb.press(tb.rowOf("API message"))
	tb.see("Id of the event")
	tb.inEachForm("live-rows")
}
