package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
)

// batch is a call of E2 with those elements.
func batch(elements ...string) request {
	return post("/apps/3/batch_events", `{"batch":[`+strings.Join(elements, ",")+`]}`)
}

// numbered returns n events and what the hub hears of them.
func numbered(n int) (elements []string, all []triggered) {
	for i := range n {
		elements = append(elements, fmt.Sprintf(`{"channel":"c","name":"n%d","data":"d"}`, i))
		all = append(all, heard(fmt.Sprint("n", i), `"d"`, "c"))
	}
	return elements, all
}

func TestChecklistBatch(t *testing.T) {
	ten, heardTen := numbered(10)
	eleven, _ := numbered(11)
	const good = `{"channel":"c","name":"n","data":"d"}`
	large := `{"channel":"c","name":"n","data":"` + strings.Repeat("a", 10241) + `"}`
	runStatements(t, []statement{
		{name: "62 ten", call: batch(ten...), status: 200, body: "{}", heard: heardTen},
		{name: "62 eleven", call: batch(eleven...), status: 400, body: "Batch too large (11 > 10)"},
		{name: "62 eleven, one of them wrong", call: batch(append([]string{"1"}, ten...)...), status: 400, body: "Batch too large (11 > 10)"},
		{name: "62 none", call: batch(), status: 400, body: "Missing required parameter: batch"},
		{name: "62 absent", call: post("/apps/3/batch_events", `{}`), status: 400, body: "Missing required parameter: batch"},
		{name: "62 null", call: post("/apps/3/batch_events", `{"batch":null}`), status: 400, body: "Missing required parameter: batch"},
		{name: "62 object", call: post("/apps/3/batch_events", `{"batch":`+good+`}`), status: 400, body: "Expected batch parameter to be an array"},
		{name: "62 no body", call: post("/apps/3/batch_events", ""), status: 400, body: "Missing required parameter: batch"},
		{name: "62 no JSON", call: post("/apps/3/batch_events", "batch"), status: 400, body: "Invalid JSON body"},
		{name: "62 not UTF-8", call: batch("\"\xff\""), status: 400, body: "Invalid UTF-8"},
		{name: "62 number", call: batch(good, "1"), status: 400, body: "Expected batch parameter to be an array of objects"},
		{name: "63 channels", call: batch(good, `{"channels":["c"],"name":"n","data":"d"}`), status: 400, body: "Missing required parameter: channel"},
		{name: "63 numeric channel", call: batch(`{"channel":1,"name":"n","data":"d"}`), status: 400, body: "Expected channel parameter to be a string"},
		{name: "63 invalid channel", call: batch(good, `{"channel":"a b","name":"n","data":"d"}`), status: 400, body: "Invalid channel name: a b"},
		{name: "63 no name", call: batch(good, `{"channel":"c","data":"d"}`), status: 400, body: nameNoText},
		{name: "63 no data", call: batch(good, `{"channel":"c","name":"n"}`), status: 400, body: noData},
		{name: "63 numeric socket_id", call: batch(good, `{"channel":"c","name":"n","data":"d","socket_id":1}`), status: 400,
			body: "Expected socket_id parameter to be a string"},
		{name: "63 numeric info", call: batch(good, `{"channel":"c","name":"n","data":"d","info":1}`), status: 400,
			body: "Expected info parameter to be a string"},
		{name: "66 one is too large", call: batch(good, large, good), status: 413, body: tooLarge},
		{name: "67 order", call: batch(ten[3], ten[1], ten[2]), status: 200, body: "{}", heard: []triggered{heardTen[3], heardTen[1], heardTen[2]}},
		{name: "67 user", call: batch(`{"channel":"#server-to-user-7","name":"n","data":{"a":1}}`), status: 200, body: "{}",
			heard: []triggered{heard("n", `"{\"a\":1}"`, "#server-to-user-7")}},
		{name: "68 socket_id of each", call: batch(good, `{"channel":"c","name":"n","data":"d","socket_id":"1.2"}`), status: 200, body: "{}",
			heard: []triggered{heard("n", `"d"`, "c"), {App: "3", Channels: []string{"c"}, Name: "n", Data: `"d"`, Except: "1.2"}}},
	})
}

func TestChecklistBatchInfo(t *testing.T) {
	given := func(f *fixture) {
		f.hub.channels = map[string]hub.ChannelState{"presence-desk": {Occupied: true, Subscriptions: 5, Users: 3}}
	}
	const (
		plain   = `{"channel":"presence-desk","name":"n","data":"d"}`
		asking  = `{"channel":"presence-desk","name":"n","data":"d","info":"user_count"}`
		public  = `{"channel":"ticker","name":"n","data":"d","info":"user_count"}`
		counted = `{"channel":"ticker","name":"n","data":"d","info":"subscription_count"}`
	)
	runStatements(t, []statement{
		{name: "64 none asks", call: batch(plain, plain), given: given, status: 200, body: "{}"},
		{name: "65 one asks", call: batch(plain, asking, plain), given: given, status: 200, body: `{"batch":[{},{"user_count":3},{}]}`},
		{name: "65 nothing to tell", call: batch(public), given: given, status: 200, body: `{"batch":[{}]}`},
		{name: "65 counting is off", call: batch(plain, counted), given: given, status: 400,
			body: "Cannot retrieve the subscription count because subscription counting is not enabled"},
	})
}
