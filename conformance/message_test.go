package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A message is one text frame that the server sent.
type message struct {
	Event      string
	Channel    string
	HasChannel bool
	Data       string // decoded when it is a string, else the JSON text
	DataIsText bool
	UserID     string
	HasUserID  bool
	Text       string // the whole frame
}

func (m message) String() string { return short(m.Text) }

// parse takes a text frame apart, and holds every frame of every test to
// statement 47 of the WebSocket checklist.
func (c *conn) parse(payload []byte) message {
	payload = withoutPlace(payload)
	m, err := parseMessage(payload)
	if err != nil {
		outcomes.mu.Lock()
		outcomes.malformed++
		outcomes.mu.Unlock()
		c.t.Errorf("malformed frame: %v: %s (after %s)", err, short(string(payload)), short(c.last))
	}
	return m
}

// historyOn makes the services keep the events of all apps, which gives events one more
// member. With it, all else has to be as without.
var historyOn = os.Getenv("BELFRY_TEST_HISTORY") != ""

var place = regexp.MustCompile(`,"position":"[A-Z0-9]+-[0-9a-f]{12}"}$`)

// withoutPlace takes that member away.
func withoutPlace(payload []byte) []byte {
	if at := place.FindIndex(payload); historyOn && at != nil {
		return append(payload[:at[0]:at[0]], '}')
	}
	return payload
}

func parseMessage(payload []byte) (message, error) {
	m := message{Text: string(payload)}
	if !utf8.Valid(payload) {
		return m, fmt.Errorf("not UTF-8")
	}
	members, err := strictObject(payload)
	if err != nil {
		return m, err
	}
	for name, value := range members {
		var err error
		switch name {
		case "event":
			err = json.Unmarshal(value, &m.Event)
		case "channel":
			m.HasChannel = true
			err = unmarshalString(value, &m.Channel)
		case "user_id":
			m.HasUserID = true
			err = unmarshalString(value, &m.UserID)
		case "data":
			if m.DataIsText = value[0] == '"'; m.DataIsText {
				err = json.Unmarshal(value, &m.Data)
			} else {
				m.Data = string(value)
			}
		default:
			err = fmt.Errorf("member %q does not exist in the protocol", name)
		}
		if err != nil {
			return m, err
		}
	}
	return m, m.check(members)
}

// check is the rest of statement 47, and §2.3 of the reference.
func (m message) check(members map[string]json.RawMessage) error {
	if m.Event == "" {
		return fmt.Errorf("no event")
	}
	if _, ok := members["data"]; !ok {
		return fmt.Errorf("no data")
	}
	if m.Event == "pusher:error" || m.Event == "pusher:subscription_error" {
		if m.DataIsText || m.Data[0] != '{' {
			return fmt.Errorf("data of %s is not an object", m.Event)
		}
		return nil
	}
	if !m.DataIsText {
		return fmt.Errorf("data is not a string")
	}
	if strings.HasPrefix(m.Event, "pusher:") || strings.HasPrefix(m.Event, "pusher_internal:") {
		return checkCompactObject(m.Data)
	}
	return nil
}

func checkCompactObject(text string) error {
	if _, err := strictObject([]byte(text)); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	// Values that a client supplied may hold white space; only what the
	// server wrote around them is known to have none.
	if strings.HasPrefix(text, "{ ") || strings.HasPrefix(text, "{\n") {
		return fmt.Errorf("data has insignificant white space")
	}
	return nil
}

func unmarshalString(value []byte, s *string) error {
	if value[0] != '"' {
		return fmt.Errorf("%s is not a string", value)
	}
	return json.Unmarshal(value, s)
}

// strictObject reads one JSON object whose members are all different.
func strictObject(text []byte) (map[string]json.RawMessage, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("member %q stands twice", name)
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.InputOffset() != int64(len(text)) {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	return members, nil
}

// decode is the value of a JSON text, with numbers kept digit for digit.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
