package fallback_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
)

func reports() []statement {
	return []statement{{85, "timeline", testTimeline}}
}

// reportQuery encodes a report as pusher-js does.
func reportQuery(key, version, timeline string) string {
	q := url.Values{}
	for name, value := range map[string]string{"session": "98886397", "bundle": "1", "key": key, "lib": "js", "version": version, "cluster": "x", "features": `["ws"]`, "timeline": timeline} {
		q.Set(name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	return "?" + q.Encode()
}

const someTimeline = `[{"instances":1,"timestamp":1},{"cid":1,"transport":"wss","timestamp":2},{"cid":1,"state":"closed"},
{"cid":2,"transport":"xhr_streamings"},{"cid":2,"state":"open","params":{}},{"cid":9,"state":"open"},{"cid":3,"transport":"evil\"label"},{"state":"connected"}]`

func testTimeline(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.base = "http://belfry.test"
		resp, answer := n.do("GET", "/timeline/v2/jsonp/17"+reportQuery("key1", "8.6.0", someTimeline), "")
		if resp.StatusCode != 200 || answer != "Pusher.ScriptReceivers[17](null, {});\n" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/javascript") {
			t.Errorf("jsonp report = %d %q %v", resp.StatusCode, answer, resp.Header)
		}
		resp, answer = n.do("GET", "/timeline/v2/xhr/2"+reportQuery("key1", "8.6.0", "[]"), "")
		if resp.StatusCode != 200 || answer != "{}" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("xhr report = %d %q %v", resp.StatusCode, answer, resp.Header)
		}
		for _, bad := range []string{"x", "1;alert(1)", "12345678901", "-1"} {
			if resp, _ := n.do("GET", "/timeline/v2/jsonp/"+url.PathEscape(bad), ""); resp.StatusCode == 200 {
				t.Errorf("receiver %q = 200", bad)
			}
		}
		want := map[string]float64{
			"client=js event=closed transport=wss version=8.6.0":           1,
			"client=js event=open transport=unknown version=8.6.0":         1,
			"client=js event=open transport=xhr_streamings version=8.6.0":  1,
			"client=js event=tried transport=other version=8.6.0":          1,
			"client=js event=tried transport=wss version=8.6.0":            1,
			"client=js event=tried transport=xhr_streamings version=8.6.0": 1,
		}
		if got := n.counters("belfry_client_transport_events_total"); !maps.Equal(got, want) {
			t.Errorf("counters %v, want %v", got, want)
		}
	})
}

// TestReportsAreBounded: whatever is reported, the labels stay few.
func TestReportsAreBounded(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.base = "http://belfry.test"
		for i := range 200 {
			n.do("GET", "/timeline/v2/xhr/2"+reportQuery("key1", fmt.Sprintf("8.%d.0", i), "[]"), "")
			n.do("GET", "/timeline/v2/xhr/2"+reportQuery("key1", fmt.Sprintf("evil%d", i), "[{"), "")
			n.do("GET", "/timeline/v2/xhr/2"+reportQuery(fmt.Sprintf("unknown%d", i), "1.0.0", "[]"), "")
			n.do("GET", "/timeline/v2/xhr/2?version=%%%&key=???", "")
		}
		if got := n.counters("belfry_client_reports_total"); len(got) != 33 {
			t.Errorf("%d label sets, want 32 versions and other: %v", len(got), got)
		}
	})
}
