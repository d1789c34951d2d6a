package webhook

import (
	"bytes"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// An event is one thing that an endpoint is told. It is immutable.
type event struct {
	id      eventID
	at      time.Time // when it happened or was replayed; see moment
	channel string
	body    []byte // a JSON object as it stands in requests
	// order is that of the decision, until a queue has it; zero for what this
	// node has observed itself.
	order uint64
}

// eventSize is about what an event takes in memory beside its texts.
const eventSize = 128

func (e *event) decided() bool { return e.order > 0 }

func (e *event) size() int { return len(e.body) + len(e.channel) + eventSize }

// opaque reports whether an event is of an encrypted channel and has no data.
// The official receivers for Go and PHP decrypt the data of every event of such
// a channel, and refuse the whole request if there is none.
func (e *event) opaque() bool {
	return protocol.KindOf(e.channel).Encrypted() && !bytes.HasPrefix(e.body, clientEventBody)
}

// clientEventBody begins the events that have data.
var clientEventBody = []byte(`{"name":"client_event",`)

// moment returns the time that was written as milliseconds since 1970. Who wrote
// it had another clock, or this one before somebody set it. So a time ahead of
// now counts as now, and from here on its age grows with a clock that nobody sets.
func moment(milli int64, now time.Time) time.Time {
	age := now.Sub(time.UnixMilli(max(milli, 0)))
	return now.Add(-max(age, 0))
}

// An eventID is the same for every attempt to deliver an event, also by
// another process. No two events of an endpoint have the same.
type eventID struct {
	origin string // random, of the process that observed the event, or of the log that decided it
	number uint64 // of the event there
}

func (id eventID) append(dst []byte) []byte {
	return strconv.AppendUint(append(append(dst, id.origin...), '-'), id.number, 10)
}

func (id eventID) String() string { return string(id.append(nil)) }

// newEvent encodes news. Its id is still missing.
func newEvent(n hub.News, now time.Time) event {
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
	return event{at: now, channel: n.Channel, body: append(b, '}')}
}
