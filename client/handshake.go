package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// An opened is a link that has passed the handshake.
type opened struct {
	transport Transport
	link      link
	socketID  string
	activity  time.Duration // what the service asks for; 0 if nothing
}

// handshake reads the first event of a link.
func handshake(l link, trace *Trace) (*opened, error) {
	text, binary, err := l.read()
	if err != nil {
		return nil, err
	}
	trace.received(text)
	if binary {
		return nil, protocolError(text, errBinary)
	}
	m, perr := protocol.ParseMessage(text)
	if perr != nil {
		return nil, protocolError(text, errors.New(perr.Message))
	}
	switch m.Event {
	case protocol.EventConnectionEstablished:
		return established(l, text, m.Data)
	case protocol.EventError:
		e := serverError(m.Data)
		if e.HasCode {
			return nil, &CloseError{Code: e.Code, Reason: e.Message}
		}
		return nil, e
	}
	return nil, protocolError(text, fmt.Errorf("%s before the connection was established", m.Event))
}

// established reads the data of the event that a connection begins with.
func established(l link, text, data []byte) (*opened, error) {
	var parsed struct {
		SocketID        json.RawMessage `json:"socket_id"`
		ActivityTimeout any             `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(content(data)), &parsed); err != nil {
		return nil, protocolError(text, err)
	}
	o := &opened{link: l, socketID: id(parsed.SocketID)}
	if o.socketID == "" {
		return nil, protocolError(text, errors.New("there is no socket id"))
	}
	if seconds, ok := parsed.ActivityTimeout.(float64); ok && seconds > 0 && seconds < math.MaxInt32 {
		o.activity = max(time.Duration(seconds*float64(time.Second)), minTimeout)
	}
	return o, nil
}

// serverError reads the data of pusher:error: an object, a string that holds
// one, or whatever a server makes of it.
func serverError(data []byte) *ServerError {
	var parsed struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	text := string(data)
	if json.Valid(data) {
		text = content(data)
	}
	if json.Unmarshal([]byte(text), &parsed) != nil {
		return &ServerError{Message: text}
	}
	e := &ServerError{Message: content(parsed.Message)}
	var code float64
	if json.Unmarshal([]byte(id(parsed.Code)), &code) == nil && code == math.Trunc(code) && math.Abs(code) < math.MaxInt32 {
		e.Code, e.HasCode = int(code), true
	}
	return e
}
