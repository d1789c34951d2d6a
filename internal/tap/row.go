package tap

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// maxData is how many bytes the data of an event have that are shown.
const maxData = 64 << 10

// A row is a record as it is shown. Members without a meaning for its type are
// absent.
type row struct {
	Type     string          `json:"type"`
	Time     time.Time       `json:"time"`
	Node     string          `json:"node,omitempty"`
	Socket   string          `json:"socket,omitempty"`
	User     string          `json:"user,omitempty"`
	Channel  string          `json:"channel,omitempty"`
	Event    string          `json:"event,omitempty"`
	EventID  string          `json:"event_id,omitempty"`
	Size     *int            `json:"size,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	NoData   string          `json:"no_data,omitempty"` // why there is none
	Hash     string          `json:"hash,omitempty"`    // of data that are not shown
	Here     *int            `json:"here,omitempty"`
	Others   *int            `json:"elsewhere,omitempty"`
	Except   string          `json:"except,omitempty"`
	Code     int             `json:"code,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	ClosedBy string          `json:"closed_by,omitempty"`
	Lasted   float64         `json:"lasted,omitempty"` // seconds
	Waiting  int             `json:"waiting,omitempty"`
	Count    *int            `json:"channel_count,omitempty"`
	Channels []string        `json:"channels,omitempty"`
	Client   *client         `json:"client,omitempty"`
}

// A client is who connects.
type client struct {
	Key       string `json:"key,omitempty"`
	Transport string `json:"transport,omitempty"`
	Library   string `json:"library,omitempty"`
	Origin    string `json:"origin,omitempty"`
	Address   string `json:"address,omitempty"`
	TLS       bool   `json:"tls"`
}

// Reasons why the data of an event are not shown.
const (
	dataHidden    = "hidden"
	dataEncrypted = "encrypted, Belfry cannot read it"
	dataGone      = "not kept: too much was going on"
	dataLarge     = "too large to show"
)

// bodies are the row of a record in each form, for all who watch: the first who shows
// a form makes it.
type bodies [forms]struct {
	once sync.Once
	text []byte
}

// render returns the row of a record that was taken, as a filter wants it.
func render(s *slot, node string, f *Filter) []byte {
	b := &s.bodies[f.form()]
	b.once.Do(func() { b.text = encode(s, node, f) })
	return b.text
}

// encode makes a row. It looks at nothing of the filter that its form does not tell:
// others are shown the same.
func encode(s *slot, node string, f *Filter) []byte {
	r := &s.record
	out := row{
		Type: r.Kind.String(), Time: r.Time().UTC().Truncate(time.Millisecond), Node: node,
		User: r.User, Channel: r.Channel, Event: r.Event, EventID: r.ID.String(),
		Code: r.Code, Detail: r.Text,
	}
	if !r.Socket.IsZero() {
		out.Socket = r.Socket.String()
	}
	if !r.Except.IsZero() && r.Except != r.Socket {
		out.Except = r.Except.String()
	}
	switch r.Kind {
	case trace.APIMessage, trace.ClientEvent:
		out.Here, out.Others, out.Size = &r.Here, &r.Elsewhere, &r.Size
		out.event(s, f.Data)
	case trace.Disconnected:
		out.Count, out.Channels = &r.Count, r.Channels
	}
	if e := r.Ending; e != nil {
		out.ending(e)
	}
	if c := r.Client; c != nil {
		out.Client = &client{c.Key, c.Transport, c.Library, c.Origin, c.Address, c.TLS}
		if f.networks {
			out.Client.Address = access.Principal{}.Address(c.Address)
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		panic(err) // data are JSON that was checked when it came
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// event adds the data of an event, or says why they are not there.
func (out *row) event(s *slot, withData bool) {
	data := dataOf(s.record.Frame)
	switch {
	case protocol.KindOf(s.record.Channel).Encrypted():
		out.NoData = dataEncrypted
	case !withData:
		out.NoData, out.Hash = dataHidden, keyed(data)
	case s.faded || data == nil:
		out.NoData = dataGone
	case len(data) > maxData:
		out.NoData, out.Hash = dataLarge, keyed(data)
	default:
		out.Data = data
	}
}

// ending adds how a connection ended.
func (out *row) ending(e *trace.Ending) {
	out.Lasted, out.Waiting = e.Lasted.Truncate(time.Millisecond).Seconds(), e.Waiting
	out.Code = int(e.Code)
	switch e.By {
	case trace.ByService:
		out.ClosedBy, out.Detail = "service", trace.Meaning(e.Code)
	case trace.ByClient:
		out.ClosedBy, out.Detail = "client", trace.Meaning(e.Code)
	case trace.ByNetwork:
		out.ClosedBy, out.Detail = "network", "The connection was lost: "+e.Loss+"."
	}
}

// dataOf returns the data of an event's frame, which is a JSON string literal.
func dataOf(f *frame.Frame) (data []byte) {
	if f == nil {
		return nil
	}
	_ = rawjson.Object(f.Message(), func(key, value []byte) {
		if string(key) == "data" {
			data = value
		}
	})
	return data
}

// hashKey makes hashes say whether two data are equal, and nothing about them
// beyond this process.
var hashKey = func() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return key
}()

// keyed returns a short hash of data; none if there are none.
func keyed(data []byte) string {
	if data == nil {
		return ""
	}
	h := hmac.New(sha256.New, hashKey)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:4])
}
