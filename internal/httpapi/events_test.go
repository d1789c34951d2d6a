package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

// names returns a JSON array of n different channels.
func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("c", i)
	}
	text, _ := json.Marshal(list)
	return string(text)
}

const (
	tooLarge   = "The data content of this event exceeds the allowed maximum (10240 bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info"
	nameNoText = "Expected name parameter to be a string"
	noData     = "Missing required parameter: data"
	noChannels = "Missing required parameter: channels"
	badName    = "Invalid channel name"
)

func TestChecklistPublishing(t *testing.T) {
	ok := heard("n", `"d"`, "c")
	on := func(channel string) request {
		return event(`{"name":"n","data":"d","channel":` + channel + `}`)
	}
	data := func(literal string) request {
		return event(`{"name":"n","channel":"c","data":` + literal + `}`)
	}
	named := func(name string) request {
		return event(`{"channel":"c","data":"d","name":` + name + `}`)
	}
	runStatements(t, []statement{
		{name: "31 channels", call: event(`{"name":"n","channels":["c"],"data":"d"}`), status: 200, body: "{}", heard: []triggered{ok}},
		{name: "32 channel", call: on(`"c"`), status: 200, body: "{}", heard: []triggered{ok}},
		{name: "33 100 channels", call: event(`{"name":"n","data":"d","channels":` + names(100) + `}`), status: 200},
		{name: "33 101 channels", call: event(`{"name":"n","data":"d","channels":` + names(101) + `}`), status: 400, body: "Too many channels (101 > 100)"},
		{name: "34 neither", call: event(`{"name":"n","data":"d"}`), status: 400, body: noChannels},
		{name: "34 null", call: event(`{"name":"n","data":"d","channels":null,"channel":null}`), status: 400, body: noChannels},
		{name: "34 empty array", call: event(`{"name":"n","data":"d","channels":[]}`), status: 400, body: noChannels},
		{name: "34 no array", call: event(`{"name":"n","data":"d","channels":"c"}`), status: 400, body: "Expected channels parameter to be an array"},
		{name: "34 array of a number", call: event(`{"name":"n","data":"d","channels":["c",1]}`), status: 400, body: "Expected channels parameter to be an array of strings"},
		{name: "34 channel is a number", call: on(`1`), status: 400, body: "Expected channel parameter to be a string"},
		{name: "34 both", call: event(`{"name":"n","data":"d","channel":"x","channels":["c"]}`), status: 200, heard: []triggered{ok}},
		{name: "35 no name", call: event(`{"data":"d","channel":"c"}`), status: 400, body: nameNoText},
		{name: "35 numeric name", call: named(`1`), status: 400, body: nameNoText},
		{name: "35 null name", call: named(`null`), status: 400, body: nameNoText},
		{name: "35 empty name", call: named(`""`), status: 400, body: "Invalid event name", starts: true},
		{name: "36 no data", call: event(`{"name":"n","channel":"c"}`), status: 400, body: noData},
		{name: "36 null data", call: data(`null`), status: 400, body: noData},
		{name: "37 empty data", call: data(`""`), status: 200, heard: []triggered{heard("n", `""`, "c")}},
		{name: "38 10240 bytes", call: data(`"` + strings.Repeat("a", 10240) + `"`), status: 200},
		{name: "38 10241 bytes", call: data(`"` + strings.Repeat("a", 10241) + `"`), status: 413, body: tooLarge},
		{name: "38 10241 bytes of JSON", call: data(`[` + strings.Repeat("1", 10239) + `]`), status: 413, body: tooLarge},
		{name: "38 10240 bytes of JSON and white space", call: data(`[` + strings.Repeat(" ", 99) + strings.Repeat("1", 10238) + `]`), status: 200},
		{name: "39 escaped characters", call: data(`"` + strings.Repeat(`\u0061`, 10240) + `"`), status: 200},
		{name: "39 one more", call: data(`"` + strings.Repeat(`\u0061`, 10241) + `"`), status: 413, body: tooLarge},
		{name: "39 characters of two bytes", call: data(`"` + strings.Repeat("é", 5120) + `"`), status: 200},
		{name: "39 one more byte", call: data(`"` + strings.Repeat("é", 5120) + `a"`), status: 413, body: tooLarge},
		{name: "39 escaped characters of three bytes", call: data(`"` + strings.Repeat(`\u20ac`, 3414) + `"`), status: 413, body: tooLarge},
		{name: "40 identical string", call: data(`"a\/\u00e9é\"\ud83d\ude00<&>\u2028"`), status: 200,
			heard: []triggered{heard("n", `"a\/\u00e9é\"\ud83d\ude00<&>\u2028"`, "c")}},
		{name: "40 object as text", call: data(`{ "a" : [1.0, "x y", null] , "b":"\u00e9"}`), status: 200,
			heard: []triggered{heard("n", `"{\"a\":[1.0,\"x y\",null],\"b\":\"\\u00e9\"}"`, "c")}},
		{name: "40 number as text", call: data(` 1e3 `), status: 200, heard: []triggered{heard("n", `"1e3"`, "c")}},
		{name: "40 false as text", call: data(`false`), status: 200, heard: []triggered{heard("n", `"false"`, "c")}},
		{name: "41 channel of 200", call: on(`"` + strings.Repeat("c", 200) + `"`), status: 200},
		{name: "41 channel of 201", call: on(`"` + strings.Repeat("c", 201) + `"`), status: 400, body: badName, starts: true},
		{name: "41 event of 200", call: named(`"` + strings.Repeat("é", 200) + `"`), status: 200},
		{name: "41 event of 201", call: named(`"` + strings.Repeat("é", 201) + `"`), status: 400, body: "Invalid event name", starts: true},
		{name: "42 space", call: on(`"a b"`), status: 400, body: "Invalid channel name: a b"},
		{name: "42 slash", call: on(`"a/b"`), status: 400, body: badName, starts: true},
		{name: "42 colon", call: on(`"a:b"`), status: 400, body: badName, starts: true},
		{name: "42 hash", call: on(`"a#b"`), status: 400, body: badName, starts: true},
		{name: "42 letter", call: on(`"é"`), status: 400, body: "Invalid channel name: é"},
		{name: "42 line feed", call: on(`"a\n"`), status: 400, body: "Invalid channel name: a\uFFFD"},
		{name: "42 empty", call: on(`""`), status: 400, body: badName, starts: true},
		{name: "42 one of two", call: event(`{"name":"n","data":"d","channels":["c","a b"]}`), status: 400, body: badName, starts: true},
		{name: "43 punctuation", call: on(`"a_-=@,.;"`), status: 200, heard: []triggered{heard("n", `"d"`, "a_-=@,.;")}},
		{name: "46 two channels", call: event(`{"name":"n","data":"d","channels":["a","b"]}`), status: 200, heard: []triggered{heard("n", `"d"`, "a", "b")}},
		{name: "47 duplicates", call: event(`{"name":"n","data":"d","channels":["a","b","a","\u0061","b"]}`), status: 200, heard: []triggered{heard("n", `"d"`, "a", "b")}},
		{name: "51 unknown keys", call: event(`{"name":"n","data":"d","channel":"c","Name":1,"user_id":{"x":[]},"time":1}`), status: 200, heard: []triggered{ok}},
		{name: "58 pusher:", call: named(`"pusher:ping"`), status: 400, body: "The 'pusher' namespace is reserved for internal usage"},
		{name: "58 pusher-", call: named(`"pusher-notification"`), status: 400, body: "The 'pusher' namespace is reserved for internal usage"},
		{name: "58 pusherman", call: named(`"pusherman"`), status: 200, heard: []triggered{heard("pusherman", `"d"`, "c")}},
		{name: "58 pusher_internal:", call: named(`"pusher_internal:x"`), status: 400},
		{name: "58 escaped", call: named(`"\u0070usher:ping"`), status: 400},
		{name: "58 client- is allowed", call: named(`"client-x"`), status: 200, heard: []triggered{heard("client-x", `"d"`, "c")}},
		{name: "59 user", call: on(`"#server-to-user-12345"`), status: 200, heard: []triggered{heard("n", `"d"`, "#server-to-user-12345")}},
		{name: "60 user without id", call: on(`"#server-to-user-"`), status: 400, body: badName, starts: true},
		{name: "60 other name with #", call: on(`"#private-x"`), status: 400, body: badName, starts: true},
		{name: "60 long user id", call: on(`"#server-to-user-` + strings.Repeat("u", 201) + `"`), status: 400, body: badName, starts: true},
		{name: "60 control character in user id", call: on(`"#server-to-user-a\u0000"`), status: 400, body: badName, starts: true},
	})
}

func TestChecklistPublishingExcept(t *testing.T) {
	to := func(id string) request {
		return event(`{"name":"n","data":"d","channel":"c","socket_id":` + id + `}`)
	}
	except := func(id string) []triggered {
		return []triggered{{App: "3", Channels: []string{"c"}, Name: "n", Data: `"d"`, Except: id}}
	}
	runStatements(t, []statement{
		{name: "44 socket_id", call: to(`"1234.5678"`), status: 200, heard: except("1234.5678")},
		{name: "45 no number", call: to(`"123123"`), status: 200, heard: except("0.0")},
		{name: "45 empty", call: to(`""`), status: 200, heard: except("0.0")},
		{name: "45 null", call: to(`null`), status: 200, heard: except("0.0")},
		{name: "45 number", call: to(`1234.5678`), status: 400, body: "Expected socket_id parameter to be a string"},
	})
}

func TestChecklistPublishingForms(t *testing.T) {
	ok := []triggered{heard("n", `"d"`, "c")}
	headers := func(q request, key, value string) request {
		q.header = http.Header{key: {value}}
		return q
	}
	body := `{"name":"n","data":"d","channel":"c"}`
	runStatements(t, []statement{
		{name: "48 query", call: post("/apps/3/events", "", "name=n", "channels[]=a", "data=\"é<\n", "channels[]=b", "socket_id=1.2"), status: 200,
			heard: []triggered{{App: "3", Channels: []string{"a", "b"}, Name: "n", Data: `"\"é<\n"`, Except: "1.2"}}},
		{name: "48 channel in the query", call: post("/apps/3/events", "", "name=n", "data=d", "channel=c"), status: 200, heard: ok},
		{name: "48 some in the query", call: post("/apps/3/events", `{"data":"d","name":"n"}`, "name=x", "channel=c"), status: 200, heard: ok},
		{name: "48 channel of the body first", call: post("/apps/3/events", body, "channels[]=x"), status: 200, heard: ok},
		{name: "48 channels joined by a library", call: post("/apps/3/events", "", "name=n", "data=d", "channels=a,b"), status: 400,
			body: "Expected channels parameter to be an array"},
		{name: "48 info in the query", call: post("/apps/3/events", body, "info=user_count"), status: 200, body: `{"channels":{"c":{}}}`},
		{name: "48 array of info in the query", call: post("/apps/3/events", body, "info[]=user_count"), status: 200, body: `{"channels":{"c":{}}}`},
		{name: "48 array of sockets", call: post("/apps/3/events", body, "socket_id[]=1.2"), status: 400, body: "Expected socket_id parameter to be a string"},
		{name: "48 query not in UTF-8", call: post("/apps/3/events", "", "name=n", "channel=c", "data=\xff"), status: 400, body: "Invalid UTF-8"},
		{name: "49 no JSON", call: event(`name=n`), status: 400, body: "Invalid JSON body"},
		{name: "49 broken JSON", call: event(`{"name":"n","data":"d","channel":"c"`), status: 400, body: "Invalid JSON body"},
		{name: "49 garbage behind", call: event(body + "x"), status: 400, body: "Invalid JSON body"},
		{name: "49 array", call: event(`[` + body + `]`), status: 400, body: "Invalid JSON body"},
		{name: "49 string", call: event(`"x"`), status: 400, body: "Invalid JSON body"},
		{name: "49 deep", call: event(strings.Repeat(`{"data":`, 5000)), status: 400, body: "Invalid JSON body"},
		{name: "50 not UTF-8", call: event("{\"name\":\"n\",\"data\":\"\xff\",\"channel\":\"c\"}"), status: 400, body: "Invalid UTF-8"},
		{name: "52 other content type", call: headers(event(body), "Content-Type", "text/plain"), status: 200, heard: ok},
		{name: "52 charset", call: headers(event(body), "Content-Type", "application/json; charset=utf-8"), status: 200, heard: ok},
		{name: "identity", call: headers(event(body), "Content-Encoding", "Identity"), status: 200, heard: ok},
		{name: "gzip", call: headers(event(body), "Content-Encoding", "gzip"), status: 415},
		{name: "identity and gzip", call: headers(event(body), "Content-Encoding", "identity, gzip"), status: 415},
	})
}

func TestChecklistPublishingInfo(t *testing.T) {
	given := func(f *fixture) {
		f.app.SubscriptionCount = true
		f.hub.channels = map[string]hub.ChannelState{
			"presence-desk": {Occupied: true, Subscriptions: 5, Users: 3},
			"ticker":        {Occupied: true, Subscriptions: 18},
		}
	}
	asking := func(info string) request {
		return event(`{"name":"n","data":"d","channels":["presence-desk","ticker","ticker","#server-to-user-1"],"info":` + info + `}`)
	}
	all := []triggered{heard("n", `"d"`, "presence-desk", "ticker", "#server-to-user-1")}
	runStatements(t, []statement{
		{name: "53 user_count", call: asking(`"user_count"`), given: given, status: 200, heard: all,
			body: `{"channels":{"presence-desk":{"user_count":3},"ticker":{},"#server-to-user-1":{}}}`},
		{name: "53, 55 both", call: asking(`"subscription_count, user_count,,user_count"`), given: given, status: 200, heard: all,
			body: `{"channels":{"presence-desk":{"user_count":3,"subscription_count":5},"ticker":{"subscription_count":18},"#server-to-user-1":{}}}`},
		{name: "56 unoccupied", call: event(`{"name":"n","data":"d","channel":"presence-x","info":"user_count"}`), given: given, status: 200,
			body: `{"channels":{"presence-x":{"user_count":0}}}`},
		{name: "54 null", call: asking(`null`), given: given, status: 200, body: "{}"},
		{name: "54 empty", call: asking(`" ,"`), given: given, status: 200, body: "{}"},
		{name: "unknown attribute", call: asking(`"user_count,nonsense"`), given: given, status: 400, body: "Unknown info attribute: nonsense"},
		{name: "attribute of other calls", call: asking(`"cache"`), given: given, status: 400, body: "Unknown info attribute: cache"},
		{name: "no string", call: asking(`["user_count"]`), given: given, status: 400, body: "Expected info parameter to be a string"},
		{name: "counting is off", call: asking(`"subscription_count"`), status: 400,
			body: "Cannot retrieve the subscription count because subscription counting is not enabled"},
	})
}

func TestChecklistRepetition(t *testing.T) {
	t.Run("61 identical requests", func(t *testing.T) {
		f := newFixture()
		r := event(`{"name":"n","data":"d","channel":"c"}`).build()
		for range 2 {
			r.Body = io.NopCloser(strings.NewReader(`{"name":"n","data":"d","channel":"c"}`))
			if w := f.do(t, r); w.Code != 200 {
				t.Fatalf("status = %d with %q, want 200", w.Code, w.Body)
			}
		}
		checkHeard(t, f.hub, heard("n", `"d"`, "c"), heard("n", `"d"`, "c"))
	})
}

func TestManyDuplicates(t *testing.T) {
	f := newFixture()
	f.app.Limits = apps.Unlimited()
	list := strings.Repeat(`"a","b",`, 500) + `"c"`
	w := f.do(t, event(`{"name":"n","data":"d","channels":[`+list+`]}`).build())
	if w.Code != 200 {
		t.Fatalf("status = %d with %q, want 200", w.Code, w.Body)
	}
	checkHeard(t, f.hub, heard("n", `"d"`, "a", "b", "c"))
}

func TestUnlimitedApp(t *testing.T) {
	f := newFixture()
	f.app.Limits = apps.Unlimited()
	long := strings.Repeat("x", 20_000)
	w := f.do(t, event(`{"name":"`+long+`","data":"`+long+`","channel":"`+long+`"}`).build())
	if w.Code != 200 {
		t.Fatalf("status = %d with %q, want 200", w.Code, w.Body)
	}
	checkHeard(t, f.hub, heard(long, `"`+long+`"`, long))
}

func TestEncryptedChannelStandsAlone(t *testing.T) {
	for channels, want := range map[string]int{
		`["private-encrypted-a"]`:                        200,
		`["private-encrypted-a","private-encrypted-a"]`:  200,
		`["private-encrypted-a","b"]`:                    400,
		`["b","private-encrypted-cache-a"]`:              400,
		`["private-encrypted-a","private-encrypted-b"]`:  400,
		`["xprivate-encrypted-a","private-encryptedb"]`:  200,
		`["private-encrypted-a","#server-to-user-16"]`:   400,
		`["private-encrypted","#server-to-user-16","x"]`: 200,
	} {
		f := newFixture()
		w := f.do(t, event(`{"name":"n","data":"d","channels":`+channels+`}`).build())
		if w.Code != want {
			t.Errorf("channels %s = %d with %q, want %d", channels, w.Code, w.Body, want)
		}
		if want == 400 {
			checkHeard(t, f.hub)
		}
	}
}

func TestOverloadedHub(t *testing.T) {
	for name, err := range map[string]error{
		"overloaded": fmt.Errorf("%w: loop 1", hub.ErrOverloaded),
		"deadline":   context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			for _, q := range []request{
				event(`{"name":"n","data":"d","channel":"c"}`),
				post("/apps/3/batch_events", `{"batch":[{"name":"n","data":"d","channel":"c"}]}`),
				post("/apps/3/channels/c/events", `d`, "name=n"),
			} {
				f := newFixture()
				f.hub.err = err
				w := f.do(t, q.build())
				if w.Code != 503 || w.Header().Get("Retry-After") != "1" {
					t.Errorf("%s: status = %d, Retry-After = %q, want 503 and 1", q.path, w.Code, w.Header().Get("Retry-After"))
				}
			}
		})
	}
}

func TestWaitForAnOverloadedHubIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.hub.wait = true
		patient := &patience{Context: t.Context()}
		if err := patient.Err(); err != nil {
			t.Errorf("Err() = %v before the wait, want nil", err)
		}
		<-patient.Done()
		if err := patient.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Err() = %v after the wait, want that the deadline is exceeded", err)
		}
		patient.stop()

		start := time.Now()
		w := f.do(t, event(`{"name":"n","data":"d","channel":"c"}`).build())
		if w.Code != 503 || time.Since(start) != overloadWait {
			t.Errorf("status = %d after %v, want 503 after %v", w.Code, time.Since(start), overloadWait)
		}
	})
}

func TestErrorOfTheHubIsNotTold(t *testing.T) {
	f := newFixture()
	f.hub.err = errors.New("password is swordfish")
	w := f.do(t, event(`{"name":"n","data":"d","channel":"c"}`).build())
	if w.Code != 500 || w.Body.String() != "Internal error\n" {
		t.Errorf("answer = %d %q, want 500 Internal error", w.Code, w.Body)
	}
}
