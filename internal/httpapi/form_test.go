package httpapi

import (
	"slices"
	"strings"
	"testing"
)

// TestPathsThatProxiesChanged has paths that arrive otherwise than they were
// signed, and whose user is terminated. No user means 401.
func TestPathsThatProxiesChanged(t *testing.T) {
	for _, tt := range []struct{ name, arrives, signed, user string }{
		{"as it was signed", "idp%2Fu%401", "idp%2Fu%401", "idp/u@1"},
		{"decoded on the way", "idp/u@1", "idp%2Fu%401", "idp/u@1"},
		{"escaped on the way", "zo%C3%AB%20b", "zoë b", "zoë b"},
		{"escaped on the way, a percent sign", "100%25", "100%", "100%"},
		{"escaped once more on the way", "a%2540b", "a%40b", "a@b"}, // what was signed counts
		{"escaped twice and sent so", "a%2540b", "a%2540b", "a%40b"},
		{"slash escaped on the way", "a%2Fb", "a/b", "a/b"},

		{"escaped twice, decoded once", "a%40b", "a%2540b", ""},
		{"escaped twice, decoded twice", "a@b", "a%2540b", ""},
		{"decoded twice for a signature that is plain", "a%2540b", "a@b", ""},
		{"partly decoded", "a@b%20c", "a%40b%20c", ""},
		{"other user", "b", "a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			q := post("/apps/3/users/"+tt.arrives+"/terminate_connections", "{}")
			q.signPath = "/apps/3/users/" + tt.signed + "/terminate_connections"
			w := f.do(t, q.build())
			status, want := 200, []string{"3/" + tt.user}
			if tt.user == "" {
				status, want = 401, nil
			}
			if w.Code != status || !slices.Equal(f.hub.terminated, want) {
				t.Errorf("status %d %q, terminated %q; want %d, %q", w.Code, w.Body, f.hub.terminated, status, want)
			}
		})
	}
}

// TestSignatureIsGoodForOneResource has paths that lead elsewhere than what was
// signed: the answer is that of the signed one, or there is none.
func TestSignatureIsGoodForOneResource(t *testing.T) {
	const channel, users = `"occupied":true`, `{"users":[{"id":"1"},`
	for _, tt := range []struct {
		name, arrives, signed string
		status                int
		body                  string
	}{
		{"channel, decoded on the way", "/apps/3/channels/presence-a@b", "/apps/3/channels/presence-a%40b", 200, `"occupied":false`},
		{"users, decoded on the way", "/apps/3/channels/presence-a@b/users", "/apps/3/channels/presence-a%40b/users", 200, `{"users":[]}`},
		{"users signed, slash escaped on the way", "/apps/3/channels/presence-desk%2Fusers", "/apps/3/channels/presence-desk/users", 200, users},
		{"name with a slash signed, decoded on the way", "/apps/3/channels/presence-desk/users", "/apps/3/channels/presence-desk%2Fusers", 401, ""},
		{"name with a slash signed and sent", "/apps/3/channels/presence-desk%2Fusers", "/apps/3/channels/presence-desk%2Fusers", 400, "Invalid channel name: presence-desk/users"},
		{"path of another call signed", "/apps/3/channels/a%2Fevents", "/apps/3/channels/a/events", 404, "No history is kept of channel a"},
		{"channel signed, users sent", "/apps/3/channels/presence-desk/users", "/apps/3/channels/presence-desk", 401, ""},
		{"name escaped twice, decoded once", "/apps/3/channels/presence-a%40b", "/apps/3/channels/presence-a%2540b", 401, ""},
		{"name escaped once more on the way", "/apps/3/channels/presence-a%2540b", "/apps/3/channels/presence-a%40b", 200, `"occupied":false`},

		{"slashes folded before it was signed", "//apps/3/channels/presence-desk", "/apps/3/channels/presence-desk", 200, channel},
		{"slashes signed", "//apps/3/channels/presence-desk", "//apps/3/channels/presence-desk", 200, channel},
		{"many slashes", "////apps/3/channels/presence-desk/users", "/apps/3/channels/presence-desk/users", 200, users},
		{"slashes, and decoded", "//apps/3/channels/presence-a@b/users", "/apps/3/channels/presence-a%40b/users", 200, `{"users":[]}`},
		{"more slashes than were signed", "///apps/3/channels/presence-desk", "//apps/3/channels/presence-desk", 401, ""},
		{"slashes removed that were signed", "/apps/3/channels/presence-desk", "//apps/3/channels/presence-desk", 401, ""},
		{"slashes inside", "/apps//3/channels/presence-desk", "/apps/3/channels/presence-desk", 404, ""},
		{"escaped slash in front", "/%2Fapps/3/channels/presence-desk", "/apps/3/channels/presence-desk", 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			occupy(f)
			q := get(tt.arrives)
			q.signPath = tt.signed
			if w := f.do(t, q.build()); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
		})
	}
}
