// Package trace has the words for what happens to an app, and brings it from
// where it happens to whoever wants to know.
//
// A [Record] is one thing that happened: a connection, an event, a refusal.
// Whoever causes it writes it into the [Log] of the app, and asks before whether
// anybody wants it: while nobody does, that is the load of one pointer. Readers
// are [Sink]s; package tap shows records to people who watch, and package
// journal keeps small ones for a while. What the records mean to them is not
// known here.
//
// A record is a value. The data of an event is not copied: the record refers to
// the frame that clients get, which never changes.
//
// # Locks
//
// Writing takes no lock of this package. [Logs] has one for changes of who reads,
// under which no other is taken. Sinks are called under the locks of whoever
// writes, among them those of the hub's shards, and must not block.
package trace

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A Kind is what happened.
type Kind uint8

// What can happen.
const (
	Connected         Kind = iota // a client has a session: Socket, Client
	Disconnected                  // a session has ended: Socket, User, Ending, Channels
	ConnectionRefused             // a client got none: Code, Text, Client
	SlowClosed                    // a client took too little for too long: Socket, Ending
	Occupied                      // a channel has its first subscription on this node
	Vacated                       // its last one has ended
	Subscribed                    // Socket, Channel, User, Order
	Unsubscribed                  // Socket, Channel, User, Order
	APIMessage                    // a backend has triggered an event on a channel or for a user
	ClientEvent                   // a client has: Socket, and User on presence channels
	PresenceEvent                 // Event says whether User is added or removed on this node
	SignedIn                      // Socket, User
	Watchlist                     // those who watch User are told that Event, online or offline
	CacheMiss                     // a subscriber found no cached event
	Terminated                    // the connections of User are closed
	ClientError                   // a client's message was refused: Socket, Event, Channel, Code, Text
	APIError                      // a backend's request was refused: Code, Text, Event, Channel
	Error                         // the service could not do something: Text
	WebhookSent                   // Event, Code, Text
	WebhookFailed                 // Event, Code, Text
	ConfigChange                  // Text
	Arrived                       // an event of another node has come to this one: ID, Order, Here
	kindCount
)

// names are those by which people and the API call the kinds.
var names = [kindCount]string{
	Connected: "connection", Disconnected: "disconnection", ConnectionRefused: "refused_connection",
	SlowClosed: "slow_client_closed", Occupied: "occupied", Vacated: "vacated", Subscribed: "subscribed",
	Unsubscribed: "unsubscribed", APIMessage: "api_message", ClientEvent: "client_event",
	PresenceEvent: "presence_event", SignedIn: "signed_in", Watchlist: "watchlist", CacheMiss: "cache_miss",
	Terminated: "terminated", ClientError: "client_error", APIError: "api_error", Error: "error",
	WebhookSent: "webhook_sent", WebhookFailed: "webhook_failed", ConfigChange: "config_change",
	Arrived: "arrived",
}

func (k Kind) String() string {
	if k < kindCount {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// MarshalText returns the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name.
func (k *Kind) UnmarshalText(text []byte) error {
	found, ok := ParseKind(string(text))
	if !ok {
		return fmt.Errorf("trace: there is no kind %q", text)
	}
	*k = found
	return nil
}

// ParseKind returns the kind of that name.
func ParseKind(name string) (Kind, bool) {
	for k, n := range names {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// Kinds is a set of kinds.
type Kinds uint32

// KindsOf returns the set of those kinds.
func KindsOf(list ...Kind) (set Kinds) {
	for _, k := range list {
		set |= 1 << k
	}
	return set
}

// AllKinds are those that people are shown. An event that has arrived from
// another node is shown there, as the event that it is.
const AllKinds Kinds = 1<<kindCount - 1 - 1<<Arrived

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// Names returns the names of the kinds in the set, in the order of the kinds.
func (s Kinds) Names() (list []string) {
	for k := range kindCount {
		if s.Has(k) {
			list = append(list, names[k])
		}
	}
	return list
}

// An ID names an event in the whole cluster: the node at which it was triggered,
// and a number there. The zero ID names none.
type ID struct {
	Node   node.ID
	Number uint64
}

// IsZero reports whether the id names no event.
func (id ID) IsZero() bool { return id.Number == 0 }

// String is the form in which people see it, as in K2R5V7B3X4ZQ6PLM-42.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return string(id.Node) + "-" + strconv.FormatUint(id.Number, 10)
}

// MarshalText returns what String does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what String returns.
func (id *ID) UnmarshalText(text []byte) error {
	found, ok := ParseID(string(text))
	if !ok && len(text) > 0 {
		return fmt.Errorf("trace: %q is not the id of an event", text)
	}
	*id = found
	return nil
}

// ParseID reads what String returns.
func ParseID(text string) (ID, bool) {
	origin, digits, _ := strings.Cut(text, "-")
	number, err := strconv.ParseUint(digits, 10, 64)
	id := ID{node.ID(origin), number}
	return id, err == nil && id.Node.Valid() && id.String() == text
}

// A Side is who has ended a connection.
type Side uint8

// Who can end a connection.
const (
	ByService Side = iota + 1 // with Code
	ByClient                  // it said goodbye
	ByNetwork                 // it broke, or one of both is gone without a word; see Loss
)

// A Client is what is known of who connects.
type Client struct {
	Key       string // of the app
	Transport string // as in websocket or xhr_streaming; empty: unknown
	Library   string // and version, as the client says
	Origin    string
	Address   string // empty: unknown
	TLS       bool
}

// An Ending is how a connection ended.
type Ending struct {
	By      Side
	Code    protocol.CloseCode // 0: there was none
	Loss    string             // how it was lost, if it was: eof, reset, stuck, stopped
	Slow    bool               // the client took too little for too long
	Waiting int                // bytes that waited for it
	Lasted  time.Duration
}

// A Record is one thing that happened. Which fields it has depends on its kind.
// It is a value, and what it refers to never changes.
type Record struct {
	Kind Kind
	App  string // set by [Log.Trace], like At
	At   int64  // nanoseconds since 1970

	Socket  protocol.SocketID
	User    string
	Channel string
	Event   string // its name; of a refused message, that of the message

	ID     ID                // of an event
	Except protocol.SocketID // of an event: who does not get it
	// Order is the place of an event among the deliveries of its channel on this
	// node. A subscription gets those above the Order with which it began, up to
	// the one with which it ended.
	Order     uint64
	Here      int          // subscribers on this node that get an event
	Elsewhere int          // subscribers that its peers have said they have
	Peers     []node.ID    // to whom an event was sent
	Frame     *frame.Frame // of an event, as clients get it; nil: it was not made
	Size      int          // bytes of its data

	Code     int    // close code, code of an error, or status of HTTP
	Text     string // one sentence for a person
	Client   *Client
	Ending   *Ending
	Channels []string // of a session that has ended: some of those that it had
	Count    int      // how many it had
}

// Time is when it happened.
func (r *Record) Time() time.Time { return time.Unix(0, r.At) }
