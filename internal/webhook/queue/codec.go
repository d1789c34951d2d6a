package queue

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// Records are stored as JSON, so that they can be read with any tool:
//
//	{"events":[{"id":"a1b2-7","type":"channel_occupied","at":1700000000000,"channel":"news","event":{…}}]}
//
// Earlier revisions wrote no type; it is the name in the event then.

// appendEvents appends a member named events to a JSON object.
func appendEvents(dst []byte, events []Event) []byte {
	dst = append(dst, `"events":[`...)
	for i := range events {
		e := &events[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.ID.Append(append(dst, `{"id":"`...))
		dst = append(append(dst, `","type":"`...), e.Type.Name()...)
		dst = strconv.AppendInt(append(dst, `","at":`...), e.At.UnixMilli(), 10)
		dst = rawjson.AppendString(append(dst, `,"channel":`...), e.Channel)
		dst = append(append(append(dst, `,"event":`...), e.Body...), '}')
	}
	return append(dst, ']')
}

// EncodeRecord returns a record as it is stored.
func EncodeRecord(r *Record) []byte {
	return append(appendEvents(append(make([]byte, 0, r.Bytes+64), '{'), r.Events), '}')
}

// DecodeRecord reads what EncodeRecord wrote. It keeps text.
func DecodeRecord(text []byte) (*Record, error) {
	var r Record
	var err error
	bad := rawjson.Object(text, func(key, value []byte) {
		if string(key) == "events" {
			r.Events, err = decodeEvents(value)
		}
	})
	if bad != nil || err != nil || len(r.Events) == 0 {
		return nil, ErrRecord
	}
	for i := range r.Events {
		r.Bytes += r.Events[i].Size()
	}
	return &r, nil
}

func decodeEvents(text []byte) ([]Event, error) {
	var events []Event
	var errs error
	now := time.Now()
	err := rawjson.Array(text, func(value []byte) {
		e, ok := decodeEvent(value, now)
		if !ok {
			errs = ErrRecord
			return
		}
		events = append(events, e)
	})
	return events, errors.Join(err, errs)
}

func decodeEvent(text []byte, now time.Time) (Event, bool) {
	e := Event{At: now}
	ok, typed := true, false
	bad := rawjson.Object(text, func(key, value []byte) {
		fine := true
		switch string(key) {
		case "id":
			e.ID, fine = parseID(value)
		case "type":
			e.Type, fine = parseType(value)
			typed = true
		case "at":
			var milli int64
			milli, fine = parseInt(value)
			e.At = moment(milli, now)
		case "channel":
			e.Channel, fine = rawjson.String(value)
		case "event":
			e.Body, fine = value, rawjson.IsObject(value)
		}
		ok = ok && fine
	})
	if bad != nil || !ok || e.Body == nil {
		return Event{}, false
	}
	if !typed {
		_ = rawjson.Object(e.Body, func(key, value []byte) {
			if string(key) == "name" {
				e.Type, _ = parseType(value)
			}
		})
	}
	return e, true
}

// parseType reads the name of a type. One that a later revision has written may
// be unknown.
func parseType(value []byte) (apps.WebhookEvents, bool) {
	name, ok := rawjson.String(value)
	return apps.WebhookEvent(name), ok
}

func parseID(value []byte) (EventID, bool) {
	s, ok := rawjson.String(value)
	origin, number, found := strings.Cut(s, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return EventID{origin, n}, ok && found && err == nil
}

func parseInt(value []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// EncodeDeadLetter returns a dead letter as it is stored.
func EncodeDeadLetter(d *DeadLetter) []byte {
	text := rawjson.AppendString([]byte(`{"app":`), d.To.App)
	text = rawjson.AppendString(append(text, `,"endpoint":`...), d.To.Endpoint)
	text = rawjson.AppendString(append(text, `,"host":`...), d.Host)
	text = rawjson.AppendString(append(text, `,"reason":`...), string(d.Reason))
	text = rawjson.AppendString(append(text, `,"error":`...), d.Err)
	text = strconv.AppendInt(append(text, `,"status":`...), int64(d.Status), 10)
	text = strconv.AppendInt(append(text, `,"attempts":`...), int64(d.Attempts), 10)
	text = strconv.AppendInt(append(text, `,"at":`...), d.At, 10)
	return append(appendEvents(append(text, ','), d.Events), '}')
}

// DecodeDeadLetter reads what EncodeDeadLetter wrote. It keeps text.
func DecodeDeadLetter(text []byte) (*DeadLetter, error) {
	var d DeadLetter
	var err error
	bad := rawjson.Object(text, func(key, value []byte) {
		s, _ := rawjson.String(value)
		n, _ := parseInt(value)
		switch string(key) {
		case "app":
			d.To.App = s
		case "endpoint":
			d.To.Endpoint = s
		case "host":
			d.Host = s
		case "reason":
			d.Reason = Reason(s)
		case "error":
			d.Err = s
		case "status":
			d.Status = int(n)
		case "attempts":
			d.Attempts = int(n)
		case "at":
			d.At = n
		case "events":
			d.Events, err = decodeEvents(value)
		}
	})
	if bad != nil || err != nil || len(d.Events) == 0 {
		return nil, ErrRecord
	}
	return &d, nil
}
