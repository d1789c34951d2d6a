package loop

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A TLS connection keeps the memory in which it has read the handshake, 3.5 KB
// or more, for as long as it lives, though an idle one needs none. So it is lent
// the loop's memory for a turn in which it reads, and then has no more of its own
// than what has come of a record. crypto/tls has no function for that, so its
// fields are looked up by name and type. Where they are not what they were in
// Go 1.26, connections keep their memory, and nothing else changes.

// A field is where a field of [tls.Conn] lies.
type field struct{ offset uintptr }

// The buffers of a connection, and whether all were found.
var (
	rawField, rawFound     = fieldOf[bytes.Buffer]("rawInput") // records that were read, as they came
	handField, handFound   = fieldOf[bytes.Buffer]("hand")     // messages of a handshake
	inputField, inputFound = fieldOf[bytes.Reader]("input")    // the text of the last record, which lies in rawInput

	lends = rawFound && handFound && inputFound
)

func fieldOf[T any](name string) (field, bool) {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return field{f.Offset}, ok && len(f.Index) == 1 && f.Type == reflect.TypeFor[T]()
}

// in returns the field of a connection.
func in[T any](conn *tls.Conn, f field) *T { return (*T)(unsafe.Add(unsafe.Pointer(conn), f.offset)) }

// lend gives a connection that holds no part of a record memory to read into,
// until reclaim. It reports whether it did.
func lend(conn *tls.Conn, memory []byte) bool {
	if !lends {
		return false
	}
	raw := in[bytes.Buffer](conn, rawField)
	if raw.Len() > 0 {
		return false // it goes on in its own, however many pieces the rest comes in
	}
	*raw = *bytes.NewBuffer(memory[:0])
	return true
}

// reclaim takes memory back that a connection was lent, and lets its own go if it
// holds nothing. What was read with it must have been used.
func reclaim(conn *tls.Conn, lent bool) {
	if !lends {
		return
	}
	raw, hand, input := in[bytes.Buffer](conn, rawField), in[bytes.Buffer](conn, handField), in[bytes.Reader](conn, inputField)
	switch {
	case raw.Len() == 0:
		*raw = bytes.Buffer{}
	case lent:
		*raw = *bytes.NewBuffer(bytes.Clone(raw.Bytes()))
	}
	if hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	if input.Len() == 0 {
		*input = bytes.Reader{}
	}
}
