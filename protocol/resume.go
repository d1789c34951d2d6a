package protocol

import (
	"strconv"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// What follows is an addition of ours to the protocol, for channels that have a
// history (docs/history.md). The hosted service has nothing like it. Clients that
// do not know it never see the event, and ignore the member of other events.

// EventResume says what became of a subscription that asked for missed events.
const EventResume = "belfry:resume"

// A Resume is what a subscription asks for: the member "resume" of the data of
// pusher:subscribe.
type Resume struct {
	// Position is where the client has been; HasPosition says that it has named one.
	// What is no text is a position that can not be read.
	Position    string
	HasPosition bool
	// Sockets are the former socket ids of the client, at most [MaxFormerSockets].
	Sockets []SocketID
	// Rewind is how many of the last events a client wants that names no position.
	Rewind int
}

// MaxFormerSockets is how many former socket ids of a client count.
const MaxFormerSockets = 16

// parseResume reads the member. What is wrong in it is left out: it never makes a
// subscription fail.
func parseResume(value []byte) *Resume {
	if !rawjson.IsObject(value) {
		return nil
	}
	r := &Resume{}
	_ = rawjson.Object(value, func(key, value []byte) {
		switch string(key) {
		case "position":
			var text bool
			r.Position, text = rawjson.String(value)
			r.HasPosition = !rawjson.IsNull(value) && r.Position != "" || !text && !rawjson.IsNull(value)
			if r.HasPosition && !text {
				r.Position = "?"
			}
		case "socket_ids":
			if len(value) > 0 && value[0] == '[' {
				_ = rawjson.Array(value, r.former)
			}
		case "rewind":
			if n, err := strconv.Atoi(string(value)); err == nil {
				r.Rewind = max(n, 0)
			}
		}
	})
	return r
}

// former adds a former socket id.
func (r *Resume) former(value []byte) {
	text, _ := rawjson.String(value)
	if id, ok := ParseSocketID(text); ok && len(r.Sockets) < MaxFormerSockets {
		r.Sockets = append(r.Sockets, id)
	}
}

// A Verdict is the data of [EventResume].
type Verdict struct {
	Asked     bool   // the client named a position
	Recovered bool   // it has everything up to Position
	Reason    string // why not
	Replayed  int    // events that were sent before the verdict
	Position  string // where the client is now
}

// AppendVerdict appends an EventResume.
func AppendVerdict(dst []byte, channel string, v Verdict) []byte {
	dst = begin(dst, EventResume, channel)
	start := len(dst)
	dst = append(dst, '{')
	if v.Asked {
		dst = append(dst, `"recovered":`...)
		dst = strconv.AppendBool(dst, v.Recovered)
		dst = append(dst, ',')
	}
	if v.Reason != "" {
		dst = append(dst, `"reason":`...)
		dst = rawjson.AppendString(dst, v.Reason)
		dst = append(dst, ',')
	}
	dst = append(dst, `"replayed":`...)
	dst = strconv.AppendInt(dst, int64(v.Replayed), 10)
	dst = append(dst, `,"position":`...)
	dst = rawjson.AppendString(dst, v.Position)
	dst = append(dst, '}')
	dst = quoteTail(dst, start)
	return append(dst, '}')
}

// AppendPlaced appends an event as [AppendEvent] does, with a place in the history
// of its channel as its last member. It has the publisher's name and a number of
// digits for [PutPlace].
func AppendPlaced(dst []byte, event, channel string, data []byte, userID, publisher string) []byte {
	dst = AppendEvent(dst, event, channel, data, userID)
	dst = append(dst[:len(dst)-1], `,"position":"`...)
	dst = append(dst, publisher...)
	return append(dst, `-000000000000"}`...)
}

// PutPlace writes a number into an event that AppendPlaced has made.
func PutPlace(message []byte, number uint64) {
	const digits = "0123456789abcdef"
	for i := len(message) - len(`"}`) - 1; message[i] != '-'; i-- {
		message[i] = digits[number&0xf]
		number >>= 4
	}
}
