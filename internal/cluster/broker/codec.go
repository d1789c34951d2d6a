package broker

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/belfryhq/belfry/protocol"
)

// On the wire a message is its kind, a byte of marks, and those fields of its
// kind that are there, always in the same order. Numbers are varints; texts
// have their length before them.

// The limits of what one message may have. They are far above what an app can
// be allowed, and keep a broken message from costing more than it brings.
const (
	MaxName = 64 << 10 // bytes of App, Name and User each
	MaxInfo = 1 << 20
	MaxText = 16 << 20 // also of Data
)

// fields are those that messages of a kind have.
type fields uint8

const (
	hasApp fields = 1 << iota
	hasName
	hasUser
	hasInfo // if On
	hasText // and Except, Number, Serial, Before
	hasData // and Stamp, TTL
	hasCount
	hasUse // Used
)

var schema = [endOfKinds]fields{
	Event:       hasApp | hasName | hasText,
	UserEvent:   hasApp | hasName | hasText,
	Terminate:   hasApp | hasName,
	Cached:      hasApp | hasName | hasText | hasData,
	Subscribers: hasApp | hasName | hasCount,
	Member:      hasApp | hasName | hasUser | hasInfo,
	SignedIn:    hasApp | hasName,
	Load:        hasApp | hasCount | hasUse,
	Recall:      hasApp | hasName | hasUser | hasText | hasCount,
	Recalled:    hasApp | hasName | hasUser | hasText | hasCount,
	Resync:      0,
	Begin:       0,
	End:         0,
	Relay:       hasName | hasText | hasCount,
}

func (k Kind) fields() (f fields, ok bool) {
	if k < Event || k >= endOfKinds {
		return 0, false
	}
	return schema[k], true
}

// The marks of a message.
const (
	markOn     = 1 << iota
	markExcept // Except is not zero
	markInfo   // Info is not nil
	markData   // Data is not nil
	markApart  // Data is not a part of Text
	markNumber // Number is not zero
	markSerial // Serial or Before is not zero
	allMarks   = 1<<iota - 1
)

var errMessage = errors.New("broker: malformed message")

// Append appends m to dst as Parse reads it. Fields that its kind does not
// have are left out. The kind must be one that there is.
func (m *Message) Append(dst []byte) []byte {
	f, ok := m.Kind.fields()
	if !ok {
		panic("broker: a message without a kind")
	}
	at, marks := m.marks(f)
	dst = append(dst, byte(m.Kind), marks)
	if f&hasApp != 0 {
		dst = appendText(dst, m.App)
	}
	if f&hasName != 0 {
		dst = appendText(dst, m.Name)
	}
	if f&hasUser != 0 {
		dst = appendText(dst, m.User)
	}
	if marks&markInfo != 0 {
		dst = appendText(dst, m.Info)
	}
	if f&hasText != 0 {
		dst = appendText(dst, m.Text)
		if marks&markExcept != 0 {
			dst = appendSocketID(dst, m.Except)
		}
		if marks&markNumber != 0 {
			dst = binary.AppendUvarint(dst, m.Number)
		}
		if marks&markSerial != 0 {
			dst = binary.AppendUvarint(dst, m.Serial)
			dst = binary.AppendUvarint(dst, m.Before)
		}
	}
	if f&hasData != 0 {
		switch {
		case marks&markApart != 0:
			dst = appendText(dst, m.Data)
		case marks&markData != 0:
			dst = binary.AppendUvarint(dst, uint64(at))
			dst = binary.AppendUvarint(dst, uint64(len(m.Data)))
		}
		dst = binary.AppendUvarint(dst, m.Stamp)
		dst = binary.AppendUvarint(dst, m.TTL)
	}
	if f&hasCount != 0 {
		dst = binary.AppendUvarint(dst, m.Count)
	}
	if f&hasUse != 0 {
		for _, n := range m.Used {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	return dst
}

// marks are those that a message of a kind with these fields gets, and where
// in its text the data begin.
func (m *Message) marks(f fields) (at int, marks byte) {
	if m.On {
		marks |= markOn
	}
	if f&hasText != 0 && !m.Except.IsZero() {
		marks |= markExcept
	}
	if f&hasText != 0 && m.Number != 0 {
		marks |= markNumber
	}
	if f&hasText != 0 && m.Serial|m.Before != 0 {
		marks |= markSerial
	}
	if f&hasInfo != 0 && m.On && m.Info != nil {
		marks |= markInfo
	}
	if f&hasData != 0 && m.Data != nil {
		marks |= markData
		if at = indexData(m.Text, m.Data); at < 0 {
			marks |= markApart
		}
	}
	return at, marks
}

// indexData returns where in text the data are, or -1. Usually they share
// memory, and then there is nothing to search for.
func indexData(text, data []byte) int {
	at := cap(text) - cap(data)
	if len(data) > 0 && at >= 0 && at+len(data) <= len(text) && &text[at] == &data[0] {
		return at
	}
	return bytes.Index(text, data)
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// appendSocketID appends the id as text, which is shorter than 256 bytes.
func appendSocketID(dst []byte, id protocol.SocketID) []byte {
	at := len(dst)
	dst, _ = id.AppendText(append(dst, 0)) // never fails
	dst[at] = byte(len(dst) - at - 1)
	return dst
}

// Parse reads one message, which must be all of b. Info, Text and Data are
// then parts of b. Fields that the message does not have become zero. Whoever
// parses into the same Message again and again saves the copies of texts that
// did not change in between, such as the app's. After an error m means
// nothing.
func (m *Message) Parse(b []byte) error {
	if len(b) < 2 {
		return errMessage
	}
	kind, marked := Kind(b[0]), b[1]
	f, ok := kind.fields()
	if !ok || !permitted(f, marked) {
		return errMessage
	}
	r := reader{rest: b[2:]}
	*m = Message{Kind: kind, On: marked&markOn != 0, App: m.App, Name: m.Name, User: m.User}
	r.text(&m.App, f&hasApp != 0)
	r.text(&m.Name, f&hasName != 0)
	r.text(&m.User, f&hasUser != 0)
	if marked&markInfo != 0 {
		m.Info = r.bytes(MaxInfo)
	}
	if f&hasText != 0 {
		m.Text = r.bytes(MaxText)
		if marked&markExcept != 0 {
			m.Except = r.socketID()
		}
		if marked&markNumber != 0 {
			m.Number = r.number()
			r.bad = r.bad || m.Number == 0
		}
		if marked&markSerial != 0 {
			m.Serial, m.Before = r.number(), r.number()
			r.bad = r.bad || m.Serial|m.Before == 0
		}
	}
	if f&hasData != 0 {
		switch {
		case marked&markApart != 0:
			m.Data = r.bytes(MaxText)
		case marked&markData != 0:
			m.Data = r.part(m.Text)
		}
		m.Stamp, m.TTL = r.number(), r.number()
	}
	if f&hasCount != 0 {
		m.Count = r.number()
	}
	if f&hasUse != 0 {
		for i := range m.Used {
			m.Used[i] = r.number()
		}
	}
	if r.bad || len(r.rest) > 0 {
		return errMessage
	}
	return nil
}

// permitted reports whether a message with these fields can have these marks.
func permitted(f fields, marked byte) bool {
	switch {
	case marked&^allMarks != 0,
		marked&(markExcept|markNumber|markSerial) != 0 && f&hasText == 0,
		marked&markInfo != 0 && (f&hasInfo == 0 || marked&markOn == 0),
		marked&markData != 0 && f&hasData == 0,
		marked&markApart != 0 && marked&markData == 0:
		return false
	}
	return true
}

// A reader takes fields from the front of a message. After the first that is
// not right it is bad, and yields zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// bytes takes a text, which is not nil unless something is wrong.
func (r *reader) bytes(limit uint64) []byte {
	n := r.number()
	if r.bad || n > limit || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// text takes a name into s, and keeps the string that is there if it is the
// same. Without a field it empties s.
func (r *reader) text(s *string, is bool) {
	if !is {
		*s = ""
		return
	}
	if b := r.bytes(MaxName); string(b) != *s {
		*s = string(b)
	}
}

// part takes the place of a part of text.
func (r *reader) part(text []byte) []byte {
	at, n := r.number(), r.number()
	if r.bad || at > uint64(len(text)) || n > uint64(len(text))-at {
		r.bad = true
		return nil
	}
	return text[at : at+n]
}

func (r *reader) socketID() protocol.SocketID {
	if r.bad || len(r.rest) == 0 || int(r.rest[0]) >= len(r.rest) {
		r.bad = true
		return protocol.SocketID{}
	}
	n := 1 + int(r.rest[0])
	id, ok := protocol.ParseSocketID(string(r.rest[1:n]))
	r.rest = r.rest[n:]
	r.bad = !ok
	return id
}
