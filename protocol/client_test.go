package protocol

import (
	"net/url"
	"testing"
)

func TestWhatClientsTake(t *testing.T) {
	for _, tt := range []struct {
		query, event, channel string
		want                  bool
	}{
		{"client=java-client&protocol=5&version=2.4.4", EventSubscriptionError, "private-encrypted-x", false},
		{"client=java-client&protocol=5&version=2.4.4", EventSubscriptionError, "private-encrypted-cache-x", false},
		{"client=java-client&protocol=7&version=2.1.0", EventSubscriptionCount, "private-encrypted-x", false},
		{"client=pusher-websocket-java", EventSubscriptionCount, "private-encrypted-x", false},
		{"client=Java-Client", EventSubscriptionCount, "private-encrypted-x", false},
		{"client=java-client", EventSubscriptionSucceeded, "private-encrypted-x", true},
		{"client=java-client", EventCacheMiss, "private-encrypted-cache-x", true},
		{"client=java-client", EventSubscriptionError, "private-x", true},
		{"client=java-client", EventSubscriptionCount, "news", true},
		{"client=js&version=8.6.0", EventSubscriptionError, "private-encrypted-x", true},
		{"client=javascript", EventSubscriptionError, "private-encrypted-x", true},
		{"client=pusher-websocket-swift", EventSubscriptionCount, "private-encrypted-x", true},
		{"", EventSubscriptionError, "private-encrypted-x", true},
	} {
		query, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := ClientLibraryOf(query).Takes(tt.event, KindOf(tt.channel)); got != tt.want {
			t.Errorf("%q takes %s on %s = %t, want %t", tt.query, tt.event, tt.channel, got, tt.want)
		}
	}
}
