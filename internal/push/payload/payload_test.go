package payload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

func TestIDsProveThatTheyAreOurs(t *testing.T) {
	now := time.Unix(1700000000, 0)
	id := NewID("secret", now)
	for name, ok := range map[string]bool{
		"ours":         Made("secret", id, now),
		"a week later": Made("secret", id, now.Add(7*24*time.Hour)),
		"not too late": !Made("secret", id, now.Add(ReportsFor+time.Minute)),
		"not another":  !Made("other", id, now),
		"not changed":  !Made("secret", "pubid-"+"1"+id[len("pubid-")+1:], now),
		"not nonsense": !Made("secret", "pubid-x", now),
	} {
		if !ok {
			t.Errorf("%s: wrong for %s", name, id)
		}
	}
}

// FuzzNotifications: whatever backends send is refused, or becomes JSON within the limits.
func FuzzNotifications(f *testing.F) {
	f.Add([]byte(`{"aps":{"alert":"x"},"data":{},"priority":5,"notification":{"title":"x","click_action":"y"},"time_to_live":3}`))
	f.Add([]byte(`{"alert":null,"pusher":{"disable_delivery_tracking":true},"expiration":0}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := Request{APNs: text, GCM: text, FCM: text, Web: text, API: notification.Beams, InstanceID: "i", PublishID: "p", Accepted: time.Unix(1e9, 0)}
		if !json.Valid(text) {
			return
		}
		list, err := r.Notifications()
		if err != nil {
			return
		}
		for _, n := range list {
			if !json.Valid(n.Body) || n.Platform == notification.APNs && len(n.Body) > notification.MaxAPNs || n.Platform == notification.Web && len(n.Body) > notification.MaxWeb {
				t.Errorf("%s of %q is %s", n.Platform, text, n.Body)
			}
		}
	})
}
