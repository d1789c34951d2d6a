package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// httpPublishing is statements 31 to 45 of the HTTP API checklist.
func httpPublishing() []statement {
	return []statement{
		{31, "channels_of_one", testChannelsOfOne},
		{32, "channel", testChannel},
		{33, "number_of_channels", testNumberOfChannels},
		{34, "no_channel", testNoChannel},
		{35, "name_missing_or_numeric", testNameMissingOrNumeric},
		{36, "no_data", testNoData},
		{37, "empty_data", testEmptyData},
		{38, "size_of_data", testHTTPSizeOfData},
		{39, "size_in_decoded_bytes", testSizeInDecodedBytes},
		{40, "data_identical", testDataIdentical},
		{41, "length_of_names", testHTTPLengthOfNames},
		{42, "illegal_channel_names", testHTTPIllegalNames},
		{43, "legal_punctuation", testHTTPLegalPunctuation},
		{44, "socket_id_excluded", testSocketIDExcluded},
		{45, "socket_id_of_nobody", testSocketIDOfNobody},
	}
}

const dataTooLarge = "The data content of this event exceeds the allowed maximum (10240 bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info"

func testChannelsOfOne(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	body := map[string]any{"name": "e", "channels": []string{channel}, "data": "D"}
	a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
}

func testChannel(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	a.post("/events", event1(channel, "e", "D")).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
	body := event1(unique("ignored"), "both", "D")
	body["channels"] = []string{channel}
	a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("both", channel, "D")
}

func testNumberOfChannels(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	prefix := unique("many")
	var channels []string
	for i := range 101 {
		channels = append(channels, fmt.Sprintf("%s-%d", prefix, i))
	}
	for _, i := range []int{0, 50, 99} {
		c.subscribe(channels[i])
	}
	body := map[string]any{"name": "e", "channels": channels, "data": "D"}
	a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "Too many channels (101 > 100)")
	c.nothing()
	body["channels"] = channels[:100]
	a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
	for range 3 {
		if m := c.next(); m.Event != "e" || m.Data != "D" {
			t.Errorf("frame = %s, want event e", m)
		}
	}
}

func testNoChannel(t *testing.T) {
	a := fixture(t, plain)
	for _, body := range []string{
		`{"name":"e","data":"D"}`, `{"name":"e","data":"D","channels":[]}`, `{"name":"e","data":"D","channels":null}`,
		`{"name":"e","data":"D","channel":null}`, `{"name":"e","data":"D","channel":5}`, `{"name":"e","data":"D","channels":"news"}`,
		`{"name":"e","data":"D","channels":[5]}`, `{"name":"e","data":"D","channels":["news",null]}`,
	} {
		a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "…")
	}
	a.post("/events", `{"name":"e","data":"D"}`).do(t).expect(t, http.StatusBadRequest, "Missing required parameter: channels")
}

func testNameMissingOrNumeric(t *testing.T) {
	a := fixture(t, plain)
	for _, body := range []string{
		`{"channel":"news","data":"D"}`, `{"name":5,"channel":"news","data":"D"}`, `{"name":null,"channel":"news","data":"D"}`,
		`{"name":{},"channel":"news","data":"D"}`,
	} {
		a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "Expected name parameter to be a string")
	}
	a.post("/events", event1("news", "", "D")).do(t).expect(t, http.StatusBadRequest, "…")
}

func testNoData(t *testing.T) {
	a := fixture(t, plain)
	for _, body := range []string{`{"name":"e","channel":"news"}`, `{"name":"e","channel":"news","data":null}`} {
		a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "Missing required parameter: data")
	}
}

func testEmptyData(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	a.publish(t, channel, "e", "")
	c.expect("e", channel, "")
}

func testHTTPSizeOfData(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	data := strings.Repeat("x", 10240)
	a.publish(t, channel, "e", data)
	c.expect("e", channel, data)
	a.post("/events", event1(channel, "e", data+"x")).do(t).expect(t, http.StatusRequestEntityTooLarge, dataTooLarge)
	c.nothing()
}

func testSizeInDecodedBytes(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	literal := func(escape string, times int) string {
		return `{"name":"e","channel":"` + channel + `","data":"` + strings.Repeat(escape, times) + `"}`
	}
	a.post("/events", literal(`\u0041`, 10240)).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, strings.Repeat("A", 10240))
	a.post("/events", literal(`\u00e9`, 5120)).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, strings.Repeat("é", 5120))
	a.post("/events", literal(`\ud83d\ude00`, 2560)).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, strings.Repeat("😀", 2560))
	for _, body := range []string{literal("é", 5121), literal(`\u00e9`, 5121), literal(`\ud83d\ude00`, 2561), literal("€", 3414)} {
		a.post("/events", body).do(t).expect(t, http.StatusRequestEntityTooLarge, dataTooLarge)
	}
	c.nothing()
}

func testDataIdentical(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	for literal, want := range map[string]string{
		`"zażółć €"`:             "zażółć €",
		`"\u003cb\u003e&<b>"`:    "<b>&<b>",
		`"https:\/\/a\/"`:        "https://a/",
		`"{\"a\": \"\\u00e9\"}"`: `{"a": "\u00e9"}`,
		`"\u2028\u0000\t\\"`:     "\u2028\x00\t\\",
		`{"n": 1.50, "b":[ ]}`:   `{"n":1.50,"b":[]}`, // not a string: its compact text
		`12345678901234567890`:   "12345678901234567890",
		`true`:                   "true",
	} {
		a.post("/events", `{"name":"e","channel":"`+channel+`","data":`+literal+`}`).do(t).expect(t, http.StatusOK, `{}`)
		c.expect("e", channel, want)
	}
}

func testHTTPLengthOfNames(t *testing.T) {
	a := fixture(t, plain)
	for _, letter := range []string{"x", "é"} {
		a.publish(t, unique("news"), strings.Repeat(letter, 200), "D")
		a.post("/events", event1(unique("news"), strings.Repeat(letter, 201), "D")).do(t).expect(t, http.StatusBadRequest, "…")
	}
	a.publish(t, strings.Repeat("x", 200), "e", "D")
	a.post("/events", event1(strings.Repeat("x", 201), "e", "D")).do(t).expect(t, http.StatusBadRequest, "…")
}

func testHTTPIllegalNames(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	good := unique("news")
	c.subscribe(good)
	for _, channel := range []string{"a b", "a/b", "a:b", "a#b", "é", "", "news\n", "a\x00"} {
		for _, channels := range [][]string{{channel}, {good, channel}} {
			body := map[string]any{"name": "e", "channels": channels, "data": "D"}
			a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "Invalid channel name…")
		}
	}
	c.nothing()
}

func testHTTPLegalPunctuation(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("_-=@,.;")
	c.subscribe(channel)
	a.publish(t, channel, "e", "D")
	c.expect("e", channel, "D")
	a.channel(t, channel)
}

func testSocketIDExcluded(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	first, second := unique("news"), unique("news")
	for _, c := range []*conn{c1, c2} {
		c.subscribe(first)
		c.subscribe(second)
	}
	body := map[string]any{"name": "e", "channels": []string{first, second}, "data": "D", "socket_id": c1.id}
	a.trigger(t, body)
	c1.nothing()
	if got := c2.collect(); len(got) != 2 {
		t.Errorf("frames at the other socket = %d, want 2: %s", len(got), summary(got))
	}
}

func testSocketIDOfNobody(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	for _, id := range []any{"1.1", "hello", "", "123123", c.id + ".1", " " + c.id, nil} {
		body := event1(channel, "e", "D")
		body["socket_id"] = id
		a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
		c.expect("e", channel, "D")
	}
	body := event1(channel, "e", "D")
	body["socket_id"] = 5
	a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "…")
	c.nothing()
}
