package client

import (
	"bytes"
	"encoding/json"
	"time"
)

// An Event is what arrived. It is immutable and may be kept.
type Event struct {
	Name    string
	Channel string // empty for events without a channel
	// Data is what was published: the content of the string that travels, or
	// the JSON text of anything else, byte for byte; decrypted on encrypted
	// channels.
	Data     string
	UserID   string // who sent it; only of client events on presence channels
	Received time.Time
}

// Decode reads Data as JSON into v.
func (e Event) Decode(v any) error { return json.Unmarshal([]byte(e.Data), v) }

// content is what a member called data says: the content of a string, the JSON
// text of anything else, nothing if it is absent.
func content(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw)
	}
	plain := true
	for _, b := range raw[1 : len(raw)-1] {
		if b == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return string(raw) // not possible: the message was valid JSON
	}
	return s
}

// id is a name that some services write as a number: its digits then. It is
// empty for anything else.
func id(raw json.RawMessage) string {
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '"':
		return content(raw)
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		return string(raw)
	}
	return ""
}

// raw is v as JSON: a json.RawMessage as it is.
func raw(v any) ([]byte, error) {
	if m, ok := v.(json.RawMessage); ok && json.Valid(m) {
		return m, nil
	}
	return encode(v)
}

// encode is v as JSON in which <, > and & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
