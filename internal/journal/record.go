package journal

import (
	"encoding/binary"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A Record is one thing that happened, as the journal remembers it. Which fields
// it has depends on its kind; see [trace.Record].
type Record struct {
	Kind      trace.Kind        `json:"kind"`
	App       string            `json:"-"`
	At        int64             `json:"at"` // nanoseconds since 1970, by the clock of the node
	Socket    protocol.SocketID `json:"socket,omitzero"`
	User      string            `json:"user,omitempty"`
	Channel   string            `json:"channel,omitempty"`
	Event     string            `json:"event,omitempty"`
	ID        trace.ID          `json:"id,omitzero"`
	Except    protocol.SocketID `json:"except,omitzero"`
	Order     uint64            `json:"order,omitempty"`
	Here      int               `json:"here,omitempty"`
	Elsewhere int               `json:"elsewhere,omitempty"`
	Peers     []node.ID         `json:"peers,omitempty"`
	Size      int               `json:"size,omitempty"`
	Handed    int               `json:"handed,omitempty"` // sockets that an event was handed to
	Code      int               `json:"code,omitempty"`
	Text      string            `json:"text,omitempty"` // of errors, and of connections the library
	Transport string            `json:"transport,omitempty"`
	By        trace.Side        `json:"by,omitempty"`
	Loss      string            `json:"loss,omitempty"`
	Slow      bool              `json:"slow,omitempty"`
	Waiting   int               `json:"waiting,omitempty"`
}

// Time is when it happened.
func (r *Record) Time() time.Time { return time.Unix(0, r.At) }

// Bits of what a record has beside its kind and time.
const (
	hasSocket = 1 << iota
	hasUser
	hasChannel
	hasEvent
	hasID
	hasExcept
	hasReach
	hasPeers
	hasCode
	hasText
	hasEnding
	hasTransport
	isSlow
)

// encode appends a record as it is kept: its kind, what it has, the time, and the
// fields. Numbers are varints, texts have their length before them.
func encode(dst []byte, r *trace.Record) []byte {
	text, has := r.Text, marks(r)
	if r.Kind == trace.Connected && r.Client != nil {
		text = r.Client.Library
		has |= hasText | hasTransport
	}
	dst = append(dst, byte(r.Kind))
	dst = binary.AppendUvarint(dst, has)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.At))
	dst = binary.AppendUvarint(dst, r.Order)
	if has&hasSocket != 0 {
		dst = appendSocket(dst, r.Socket)
	}
	if has&hasUser != 0 {
		dst = appendText(dst, r.User)
	}
	if has&hasChannel != 0 {
		dst = appendText(dst, r.Channel)
	}
	if has&hasEvent != 0 {
		dst = appendText(dst, r.Event)
	}
	if has&hasID != 0 {
		dst = appendText(dst, string(r.ID.Node))
		dst = binary.AppendUvarint(dst, r.ID.Number)
	}
	if has&hasExcept != 0 {
		dst = appendSocket(dst, r.Except)
	}
	if has&hasReach != 0 {
		dst = binary.AppendUvarint(dst, uint64(r.Here))
		dst = binary.AppendUvarint(dst, uint64(r.Elsewhere))
		dst = binary.AppendUvarint(dst, uint64(r.Size))
	}
	if has&hasPeers != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(r.Peers)))
		for _, p := range r.Peers {
			dst = appendText(dst, string(p))
		}
	}
	if has&hasCode != 0 {
		dst = binary.AppendUvarint(dst, uint64(max(r.Code, 0)))
	}
	if has&hasText != 0 {
		dst = appendText(dst, text)
	}
	if has&hasTransport != 0 {
		dst = appendText(dst, r.Client.Transport)
	}
	if has&hasEnding != 0 {
		dst = append(dst, byte(r.Ending.By))
		dst = appendText(dst, r.Ending.Loss)
		dst = binary.AppendUvarint(dst, uint64(max(r.Ending.Waiting, 0)))
	}
	return dst
}

// marks are the bits of what a record has.
func marks(r *trace.Record) (has uint64) {
	set := func(bit uint64, is bool) {
		if is {
			has |= bit
		}
	}
	set(hasSocket, !r.Socket.IsZero())
	set(hasUser, r.User != "")
	set(hasChannel, r.Channel != "")
	set(hasEvent, r.Event != "")
	set(hasID, !r.ID.IsZero())
	set(hasExcept, !r.Except.IsZero())
	set(hasReach, r.Here != 0 || r.Elsewhere != 0 || r.Size != 0)
	set(hasPeers, len(r.Peers) > 0)
	set(hasCode, r.Code != 0)
	set(hasText, r.Text != "")
	set(hasEnding, r.Ending != nil)
	set(isSlow, r.Ending != nil && r.Ending.Slow)
	return has
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// appendSocket appends a socket id as text, which is shorter than 128 bytes.
func appendSocket(dst []byte, id protocol.SocketID) []byte {
	at := len(dst)
	dst, _ = id.AppendText(append(dst, 0)) // never fails
	dst[at] = byte(len(dst) - at - 1)
	return dst
}

// decode reads the first record of text and returns what follows it.
func decode(text []byte, r *Record) (rest []byte, ok bool) {
	d := decoder{rest: text}
	r.Kind = trace.Kind(d.byte())
	has := d.number()
	r.At = int64(d.fixed())
	r.Order = d.number()
	if has&hasSocket != 0 {
		r.Socket = d.socket()
	}
	if has&hasUser != 0 {
		r.User = d.text()
	}
	if has&hasChannel != 0 {
		r.Channel = d.text()
	}
	if has&hasEvent != 0 {
		r.Event = d.text()
	}
	if has&hasID != 0 {
		r.ID = trace.ID{Node: node.ID(d.text()), Number: d.number()}
	}
	if has&hasExcept != 0 {
		r.Except = d.socket()
	}
	if has&hasReach != 0 {
		r.Here, r.Elsewhere, r.Size = int(d.number()), int(d.number()), int(d.number())
	}
	if has&hasPeers != 0 {
		for range min(d.number(), 64) {
			r.Peers = append(r.Peers, node.ID(d.text()))
		}
	}
	if has&hasCode != 0 {
		r.Code = int(d.number())
	}
	if has&hasText != 0 {
		r.Text = d.text()
	}
	if has&hasTransport != 0 {
		r.Transport = d.text()
	}
	if has&hasEnding != 0 {
		r.By, r.Loss, r.Waiting = trace.Side(d.byte()), d.text(), int(d.number())
	}
	r.Slow = has&isSlow != 0
	return d.rest, !d.bad
}

// A decoder takes fields from the front of a text. After the first that is not
// right it is bad, and yields zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) fixed() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.bad || size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) text() string { return string(d.take(d.number())) }

func (d *decoder) socket() protocol.SocketID {
	id, ok := protocol.ParseSocketID(string(d.take(uint64(d.byte()))))
	d.bad = d.bad || !ok
	return id
}
