package notification

import (
	"bytes"
	"strings"
	"testing"
)

const (
	point = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	auth  = "BTBZMqHH6r4Tts7J_aSIgg"
)

func subscription(endpoint, point, auth string) []byte {
	return []byte(`{"endpoint":"` + endpoint + `","expirationTime":null,"keys":{"p256dh":"` + point + `","auth":"` + auth + `"}}`)
}

func TestSubscriptionsAreRead(t *testing.T) {
	padded := strings.NewReplacer("-", "+", "_", "/").Replace(point) + "="
	for _, p := range []string{point, padded} {
		s, err := ParseSubscription(subscription("https://updates.push.services.mozilla.com/wp/1", p, auth+"=="))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSubscription([]byte(s.Token()))
		if err != nil || again.Endpoint != s.Endpoint || !bytes.Equal(again.P256DH, s.P256DH) || !bytes.Equal(again.Auth, s.Auth) {
			t.Errorf("the token of %v is read as %v, %v", s, again, err)
		}
	}
}

func TestSubscriptionsThatAreNoneSayWhy(t *testing.T) {
	for want, text := range map[string][]byte{
		"not JSON":       []byte("{"),
		"URL of https":   subscription("http://fcm.googleapis.com/x", point, auth),
		"more than 2048": subscription("https://fcm.googleapis.com/"+strings.Repeat("x", 2048), point, auth),
		"a fragment":     subscription("https://fcm.googleapis.com/#x", point, auth),
		"of P-256":       subscription("https://fcm.googleapis.com/x", point[:80], auth),
		"16 bytes":       subscription("https://fcm.googleapis.com/x", point, "AAAA"),
	} {
		if _, err := ParseSubscription(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSubscription(%s) = %v, want %q", text, err, want)
		}
	}
}

func TestHostsAreOnTheList(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://fcm.googleapis.com/fcm/send/x":       true,
		"https://fcm.googleapis.com:443/x":            true,
		"https://FCM.googleapis.com/x":                true,
		"https://fcm.googleapis.com:8443/x":           false,
		"https://web.push.apple.com/x":                true,
		"https://push.apple.com.example.org/x":        false,
		"https://evilpush.apple.com/x":                false,
		"https://a.b.push.services.mozilla.com/wp/x":  true,
		"https://127.0.0.1/x":                         false,
		"https://fcm.googleapis.com@example.org/x":    false,
		"https://fcm.googleapis.com.example.org:443/": false,
	} {
		if got := (Subscription{Endpoint: endpoint}).HostIn(DefaultHosts); got != want {
			t.Errorf("HostIn(%s) = %v, want %v", endpoint, got, want)
		}
	}
	if !(Subscription{Endpoint: "https://localhost:8443/x"}).HostIn([]string{"localhost:8443"}) {
		t.Error("a host with a port is not found")
	}
}

// FuzzSubscription: what is read is written so that it is read again.
func FuzzSubscription(f *testing.F) {
	f.Add(subscription("https://fcm.googleapis.com/x", point, auth))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSubscription(text)
		if err != nil {
			return
		}
		again, err := ParseSubscription([]byte(s.Token()))
		if err != nil || again.Token() != s.Token() {
			t.Errorf("%q is read again as %q, %v", s.Token(), again.Token(), err)
		}
	})
}
