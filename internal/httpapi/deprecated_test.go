package httpapi

import (
	"strings"
	"testing"
)

func TestChecklistDeprecated(t *testing.T) {
	const (
		events = "/apps/3/channels/project-3/events"
		desk   = "/apps/3/channels/presence-desk/stats"
	)
	data := func(name, data string) []triggered { return []triggered{heard(name, data, "project-3")} }
	counting := func(f *fixture) {
		occupy(f)
		f.app.SubscriptionCount = true
	}
	runStatements(t, []statement{
		{name: "91 JSON", call: post(events, `{"some":"data"}`, "name=foo"), status: 202, heard: data("foo", `"{\"some\":\"data\"}"`)},
		{name: "91 no JSON", call: post(events, "a\n\"é", "name=foo"), status: 202, heard: data("foo", `"a\n\"é"`)},
		{name: "91 no body", call: post(events, "", "name=foo"), status: 202, heard: data("foo", `""`)},
		{name: "91 socket_id", call: post(events, "d", "name=foo", "socket_id=1234.1234"), status: 202,
			heard: []triggered{{App: "3", Channels: []string{"project-3"}, Name: "foo", Data: `"d"`, Except: "1234.1234"}}},
		{name: "91 not UTF-8", call: post(events, "\xff", "name=foo"), status: 400, body: "Invalid UTF-8"},
		{name: "91 10240 bytes", call: post(events, strings.Repeat("\n", 10240), "name=foo"), status: 202},
		{name: "91 10241 bytes", call: post(events, strings.Repeat("\n", 10241), "name=foo"), status: 413, body: tooLarge},
		{name: "91 invalid channel", call: post("/apps/3/channels/a%20b/events", "d", "name=foo"), status: 400, body: "Invalid channel name: a b"},
		{name: "92 no name", call: post(events, `{"name":"foo"}`), status: 400, body: "Missing required parameter: name"},
		{name: "92 reserved name", call: post(events, "d", "name=pusher:foo"), status: 400},
		{name: "93 presence", call: get(desk), given: occupy, status: 200, body: `{"occupied":true,"user_count":3}`},
		{name: "93 counting", call: get(desk), given: counting, status: 200, body: `{"occupied":true,"user_count":3,"connection_count":5}`},
		{name: "93 public", call: get("/apps/3/channels/ticker/stats"), given: occupy, status: 200, body: `{"occupied":true}`},
		{name: "93 public, counting", call: get("/apps/3/channels/ticker/stats", "info=cache"), given: counting, status: 200,
			body: `{"occupied":true,"connection_count":18}`},
		{name: "93 invalid channel", call: get("/apps/3/channels/a%20b/stats"), status: 400, body: "Invalid channel name: a b"},
	})
}
