package conformance

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// httpBatch is statements 62 to 68 of the HTTP API checklist.
func httpBatch() []statement {
	return []statement{
		{62, "number_of_events", testNumberOfEvents},
		{63, "channels_in_a_batch", testChannelsInABatch},
		{64, "batch_without_info", testBatchWithoutInfo},
		{65, "batch_with_info", testBatchWithInfo},
		{66, "one_oversized", testOneOversized},
		{67, "batch_order", testBatchOrder},
		{68, "socket_id_per_element", testSocketIDPerElement},
	}
}

// batch is the body that publishes these events.
func batch(events ...map[string]any) map[string]any { return map[string]any{"batch": events} }

func testNumberOfEvents(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	var events []map[string]any
	for i := range 11 {
		events = append(events, event1(channel, "e", strconv.Itoa(i)))
	}
	a.post("/batch_events", batch(events...)).do(t).expect(t, http.StatusBadRequest, "Batch too large (11 > 10)")
	c.nothing()
	a.post("/batch_events", batch(events[:10]...)).do(t).expect(t, http.StatusOK, `{}`)
	for i := range 10 {
		c.expect("e", channel, strconv.Itoa(i))
	}
	a.post("/batch_events", `{"batch":[]}`).do(t).expect(t, http.StatusBadRequest, "…")
	a.post("/batch_events", `{}`).do(t).expect(t, http.StatusBadRequest, "Missing required parameter: batch")
}

func testChannelsInABatch(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	wrong := map[string]any{"name": "e", "channels": []string{channel}, "data": "D"}
	a.post("/batch_events", batch(event1(channel, "e", "D"), wrong)).
		do(t).expect(t, http.StatusBadRequest, "Missing required parameter: channel")
	c.nothing()
	for _, element := range []string{`5`, `null`, `"x"`, `[]`, `{}`, `{"channel":"news","name":"e"}`, `{"channel":"news","data":"D"}`, `{"channel":"a b","name":"e","data":"D"}`} {
		a.post("/batch_events", `{"batch":[`+element+`]}`).do(t).expect(t, http.StatusBadRequest, "…")
	}
	for _, list := range []string{`5`, `null`, `"x"`, `{}`} {
		a.post("/batch_events", `{"batch":`+list+`}`).do(t).expect(t, http.StatusBadRequest, "…")
	}
}

func testBatchWithoutInfo(t *testing.T) {
	a := fixture(t, plain)
	resp := a.post("/batch_events", batch(event1(unique("news"), "e", "D"), event1(unique("presence-r"), "e", "D"))).do(t)
	resp.expect(t, http.StatusOK, `{}`)
	if got := strings.TrimSpace(resp.body); got != "{}" {
		t.Errorf("%s = %q, want exactly {}", resp.request, got)
	}
}

func testBatchWithInfo(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	room := unique("presence-r")
	c.join(room, `{"user_id":"1"}`)
	asking := event1(room, "e", "D")
	asking["info"] = "user_count"
	a.post("/batch_events", batch(event1(unique("news"), "e", "D"), asking, event1(room, "e", "D"))).
		do(t).expect(t, http.StatusOK, `{"batch":[{},{"user_count":1},{}]}`)
}

func testOneOversized(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	big := event1(channel, "e", strings.Repeat("x", 10241))
	a.post("/batch_events", batch(event1(channel, "e", "D"), big, event1(channel, "e", "D"))).
		do(t).expect(t, http.StatusRequestEntityTooLarge, dataTooLarge)
	c.nothing()
}

func testBatchOrder(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	first, second := unique("news"), unique("cache-x")
	c.subscribe(first)
	for range 5 {
		var events []map[string]any
		for i := range 5 {
			events = append(events, event1(first, "e", strconv.Itoa(i)), event1(second, "e", strconv.Itoa(i)))
		}
		a.post("/batch_events", batch(events...)).do(t).expect(t, http.StatusOK, `{}`)
		for i := range 5 {
			c.expect("e", first, strconv.Itoa(i))
		}
	}
	c.subscribe(second)
	c.expect("e", second, "4") // the last one is the one that is cached
}

func testSocketIDPerElement(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("news")
	c1.subscribe(channel)
	c2.subscribe(channel)
	not1, not2 := event1(channel, "not1", "D"), event1(channel, "not2", "D")
	not1["socket_id"], not2["socket_id"] = c1.id, c2.id
	a.post("/batch_events", batch(not1, not2, event1(channel, "both", "D"))).do(t).expect(t, http.StatusOK, `{}`)
	c1.expect("not2", channel, "D")
	c1.expect("both", channel, "D")
	c2.expect("not1", channel, "D")
	c2.expect("both", channel, "D")
}
