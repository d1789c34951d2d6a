package webhook

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// Records are stored as JSON, so that they can be read with any tool:
//
//	{"events":[{"id":"a1b2-7","at":1700000000000,"channel":"news","event":{…}}]}

// appendEvents appends a member named events to a JSON object.
func appendEvents(dst []byte, events []event) []byte {
	dst = append(dst, `"events":[`...)
	for i := range events {
		e := &events[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.id.append(append(dst, `{"id":"`...))
		dst = strconv.AppendInt(append(dst, `","at":`...), e.at.UnixMilli(), 10)
		dst = rawjson.AppendString(append(dst, `,"channel":`...), e.channel)
		dst = append(append(append(dst, `,"event":`...), e.body...), '}')
	}
	return append(dst, ']')
}

func encodeRecord(r *record) []byte {
	return append(appendEvents(append(make([]byte, 0, r.bytes+64), '{'), r.events), '}')
}

// decodeRecord reads what encodeRecord wrote. It keeps text.
func decodeRecord(text []byte) (*record, error) {
	var r record
	var err error
	bad := rawjson.Object(text, func(key, value []byte) {
		if string(key) == "events" {
			r.events, err = decodeEvents(value)
		}
	})
	if bad != nil || err != nil || len(r.events) == 0 {
		return nil, errRecord
	}
	for i := range r.events {
		r.bytes += r.events[i].size()
	}
	return &r, nil
}

func decodeEvents(text []byte) ([]event, error) {
	var events []event
	var errs error
	now := time.Now()
	err := rawjson.Array(text, func(value []byte) {
		e := event{at: now}
		ok := true
		bad := rawjson.Object(value, func(key, value []byte) {
			fine := true
			switch string(key) {
			case "id":
				e.id, fine = parseID(value)
			case "at":
				var milli int64
				milli, fine = parseInt(value)
				e.at = moment(milli, now)
			case "channel":
				e.channel, fine = rawjson.String(value)
			case "event":
				e.body, fine = value, rawjson.IsObject(value)
			}
			ok = ok && fine
		})
		if bad != nil || !ok || e.body == nil {
			errs = errRecord
			return
		}
		events = append(events, e)
	})
	return events, errors.Join(err, errs)
}

func parseID(value []byte) (eventID, bool) {
	s, ok := rawjson.String(value)
	origin, number, found := strings.Cut(s, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return eventID{origin, n}, ok && found && err == nil
}

func parseInt(value []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

func encodeBurial(b *burial) []byte {
	text := rawjson.AppendString([]byte(`{"app":`), b.to.app)
	text = rawjson.AppendString(append(text, `,"endpoint":`...), b.to.endpoint)
	text = rawjson.AppendString(append(text, `,"host":`...), b.host)
	text = rawjson.AppendString(append(text, `,"reason":`...), string(b.reason))
	text = rawjson.AppendString(append(text, `,"error":`...), b.err)
	text = strconv.AppendInt(append(text, `,"status":`...), int64(b.status), 10)
	text = strconv.AppendInt(append(text, `,"attempts":`...), int64(b.attempts), 10)
	text = strconv.AppendInt(append(text, `,"at":`...), b.at, 10)
	return append(appendEvents(append(text, ','), b.events), '}')
}

// decodeBurial reads what encodeBurial wrote. It keeps text.
func decodeBurial(text []byte) (*burial, error) {
	var b burial
	var err error
	bad := rawjson.Object(text, func(key, value []byte) {
		s, _ := rawjson.String(value)
		n, _ := parseInt(value)
		switch string(key) {
		case "app":
			b.to.app = s
		case "endpoint":
			b.to.endpoint = s
		case "host":
			b.host = s
		case "reason":
			b.reason = buryReason(s)
		case "error":
			b.err = s
		case "status":
			b.status = int(n)
		case "attempts":
			b.attempts = int(n)
		case "at":
			b.at = n
		case "events":
			b.events, err = decodeEvents(value)
		}
	})
	if bad != nil || err != nil || len(b.events) == 0 {
		return nil, errRecord
	}
	return &b, nil
}
