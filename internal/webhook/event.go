package webhook

import (
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// newEvent encodes news. Its id is still missing.
func newEvent(n hub.News, now time.Time) queue.Event {
	b := make([]byte, 0, 96+len(n.Channel)+len(n.UserID)+len(n.Event)+len(n.Data))
	b = append(append(append(b, `{"name":"`...), n.Kind.Name()...), `","channel":`...)
	b = rawjson.AppendString(b, n.Channel)
	switch n.Kind {
	case apps.ClientEvent:
		b = rawjson.AppendString(append(b, `,"event":`...), n.Event)
		b = append(append(b, `,"data":`...), n.Data...)
		b = append(append(append(b, `,"socket_id":"`...), n.Socket.String()...), '"')
	case apps.SubscriptionCount:
		b = strconv.AppendInt(append(b, `,"subscription_count":`...), int64(n.Subscriptions), 10)
	}
	if n.UserID != "" {
		b = rawjson.AppendString(append(b, `,"user_id":`...), n.UserID)
	}
	return queue.Event{Type: n.Kind, At: now, Channel: n.Channel, Body: append(b, '}')}
}
