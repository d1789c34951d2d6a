package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// show prints a message with its data as text.
func show(m protocol.Message) string {
	data := "absent"
	if m.Data != nil {
		data = string(m.Data)
	}
	return fmt.Sprintf("event %q, channel %q (%t), data %s", m.Event, m.Channel, m.HasChannel, data)
}

func TestParseMessage(t *testing.T) {
	tests := map[string]struct {
		text string
		want protocol.Message
	}{
		"ping without data":    {`{"event":"pusher:ping"}`, protocol.Message{Event: "pusher:ping"}},
		"pong":                 {`{"event":"pusher:pong","data":{}}`, protocol.Message{Event: "pusher:pong", Data: []byte(`{}`)}},
		"subscribe":            {`{"event":"pusher:subscribe","data":{"channel":"news"}}`, protocol.Message{Event: "pusher:subscribe", Data: []byte(`{"channel":"news"}`)}},
		"unsubscribe":          {`{"event":"pusher:unsubscribe","data":{"channel":"news"}}`, protocol.Message{Event: "pusher:unsubscribe", Data: []byte(`{"channel":"news"}`)}},
		"sign-in":              {`{"event":"pusher:signin","data":"{}"}`, protocol.Message{Event: "pusher:signin", Data: []byte(`"{}"`)}},
		"client event":         {`{"event":"client-typing","channel":"private-room-7","data":{"on":true}}`, protocol.Message{Event: "client-typing", Channel: "private-room-7", HasChannel: true, Data: []byte(`{"on":true}`)}},
		"order and space":      {" { \"data\" : [ 1 , 2 ] ,\n\"channel\":\"c\", \"event\":\"client-a\" } ", protocol.Message{Event: "client-a", Channel: "c", HasChannel: true, Data: []byte(`[ 1 , 2 ]`)}},
		"big number":           {`{"event":"client-a","data":12345678901234567890.50}`, protocol.Message{Event: "client-a", Data: []byte(`12345678901234567890.50`)}},
		"null data":            {`{"event":"client-a","data":null}`, protocol.Message{Event: "client-a", Data: []byte(`null`)}},
		"null channel":         {`{"event":"client-a","channel":null}`, protocol.Message{Event: "client-a"}},
		"channel no string":    {`{"event":"client-a","channel":7}`, protocol.Message{Event: "client-a"}},
		"empty channel":        {`{"event":"client-a","channel":""}`, protocol.Message{Event: "client-a", HasChannel: true}},
		"unknown members":      {`{"event":"client-a","user_id":"1","x":{"event":"y"}}`, protocol.Message{Event: "client-a"}},
		"last one wins":        {`{"event":"a","event":"client-b","channel":"c","channel":null,"data":1,"data":2}`, protocol.Message{Event: "client-b", Data: []byte(`2`)}},
		"keys mind their case": {`{"event":"client-a","EVENT":"b","Channel":"c","DATA":1}`, protocol.Message{Event: "client-a"}},
		"escapes":              {`{"\u0065vent":"pusher\u003aping","channel":"\u00e9"}`, protocol.Message{Event: "pusher:ping", Channel: "é", HasChannel: true}},
		"lone surrogate":       {`{"event":"client-\ud800"}`, protocol.Message{Event: "client-\uFFFD"}},
		"any other event":      {`{"event":"pusher_internal:x"}`, protocol.Message{Event: "pusher_internal:x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseMessage([]byte(test.text))
			if err != nil || show(got) != show(test.want) {
				t.Errorf("ParseMessage(%s) = %s, %v, want %s", test.text, show(got), err, show(test.want))
			}
		})
	}
}

func TestParseMessageRefusals(t *testing.T) {
	deep := `{"event":"client-a","data":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`
	tests := map[string]struct {
		text string
		want *protocol.Error
	}{
		"empty":                 {``, protocol.ErrInvalidJSON},
		"no JSON":               {`hello`, protocol.ErrInvalidJSON},
		"array":                 {`[]`, protocol.ErrInvalidJSON},
		"number":                {`3`, protocol.ErrInvalidJSON},
		"string":                {`"x"`, protocol.ErrInvalidJSON},
		"null":                  {`null`, protocol.ErrInvalidJSON},
		"cut":                   {`{"event":"pusher:ping"`, protocol.ErrInvalidJSON},
		"trailing garbage":      {`{"event":"pusher:ping"}x`, protocol.ErrInvalidJSON},
		"two objects":           {`{"event":"pusher:ping"}{}`, protocol.ErrInvalidJSON},
		"broken after event":    {`{"event":"pusher:ping","data":}`, protocol.ErrInvalidJSON},
		"65 levels":             {deep, protocol.ErrInvalidJSON},
		"invalid UTF-8":         {"{\"event\":\"client-\xff\"}", protocol.ErrInvalidJSON},
		"no event":              {`{}`, protocol.ErrMissingEvent},
		"event in capitals":     {`{"Event":"pusher:ping"}`, protocol.ErrMissingEvent},
		"empty event":           {`{"event":""}`, protocol.ErrMissingEvent},
		"null event":            {`{"event":null}`, protocol.ErrMissingEvent},
		"number as event":       {`{"event":1}`, protocol.ErrMissingEvent},
		"object as event":       {`{"event":{"event":"x"}}`, protocol.ErrMissingEvent},
		"last event is no name": {`{"event":"pusher:ping","event":1}`, protocol.ErrMissingEvent},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseMessage([]byte(test.text))
			if err != test.want || show(got) != show(protocol.Message{}) {
				t.Errorf("ParseMessage(%q) = %s, %v, want %v", test.text, show(got), err, test.want)
			}
		})
	}
}

func TestParseSubscribe(t *testing.T) {
	tests := map[string]struct {
		data string
		want protocol.Subscribe
	}{
		"pusher-js":               {`{"auth":"","channel":"news"}`, protocol.Subscribe{Channel: "news", HasChannel: true, HasAuth: true}},
		"private":                 {`{"channel":"private-a","auth":"k:d"}`, protocol.Subscribe{Channel: "private-a", HasChannel: true, Auth: "k:d", HasAuth: true}},
		"presence":                {`{"channel":"presence-a","auth":"k:d","channel_data":"{\"user_id\":\"\\u00e9\\\/\"}"}`, protocol.Subscribe{Channel: "presence-a", HasChannel: true, Auth: "k:d", HasAuth: true, ChannelData: `{"user_id":"\u00e9\/"}`, HasChannelData: true}},
		"in a string":             {`"{\"channel\":\"news\"}"`, protocol.Subscribe{Channel: "news", HasChannel: true}},
		"in a spaced string":      {`" {\"channel\":\"news\"}\n"`, protocol.Subscribe{Channel: "news", HasChannel: true}},
		"in two strings":          {`"\"{\\\"channel\\\":\\\"news\\\"}\""`, protocol.Subscribe{}},
		"absent":                  {``, protocol.Subscribe{}},
		"null":                    {`null`, protocol.Subscribe{}},
		"array":                   {`["news"]`, protocol.Subscribe{}},
		"string without object":   {`"news"`, protocol.Subscribe{}},
		"string cut":              {`"{\"channel\":\"news\""`, protocol.Subscribe{}},
		"string with a tail":      {`"{\"channel\":\"news\"}x"`, protocol.Subscribe{}},
		"nulls are absent":        {`{"channel":null,"auth":null,"channel_data":null}`, protocol.Subscribe{}},
		"channel no string":       {`{"channel":["a"],"auth":{}}`, protocol.Subscribe{}},
		"empty channel":           {`{"channel":""}`, protocol.Subscribe{HasChannel: true}},
		"empty channel_data":      {`{"channel_data":""}`, protocol.Subscribe{HasChannelData: true}},
		"channel_data as object":  {`{"channel_data":{"user_id":"1"}}`, protocol.Subscribe{BadChannelData: true}},
		"channel_data as number":  {`{"channel_data":1}`, protocol.Subscribe{BadChannelData: true}},
		"last channel_data wins":  {`{"channel_data":1,"channel_data":"x"}`, protocol.Subscribe{ChannelData: "x", HasChannelData: true}},
		"last bad one wins":       {`{"channel_data":"x","channel_data":1}`, protocol.Subscribe{BadChannelData: true}},
		"shared_secret is unseen": {`{"channel":"private-encrypted-a","shared_secret":"s"}`, protocol.Subscribe{Channel: "private-encrypted-a", HasChannel: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := protocol.ParseSubscribe([]byte(test.data)); got != test.want {
				t.Errorf("ParseSubscribe(%s) = %+v, want %+v", test.data, got, test.want)
			}
		})
	}
}

func TestParseSignin(t *testing.T) {
	tests := map[string]struct {
		data string
		want protocol.Signin
	}{
		"object":              {`{"auth":"k:d","user_data":"{\"id\":\"16\"}"}`, protocol.Signin{Auth: "k:d", HasAuth: true, UserData: `{"id":"16"}`, HasUserData: true}},
		"in a string":         {`"{\"auth\":\"k:d\",\"user_data\":\"{}\"}"`, protocol.Signin{Auth: "k:d", HasAuth: true, UserData: `{}`, HasUserData: true}},
		"user_data as object": {`{"auth":"k:d","user_data":{"id":"16"}}`, protocol.Signin{Auth: "k:d", HasAuth: true}},
		"nulls are absent":    {`{"auth":null,"user_data":null}`, protocol.Signin{}},
		"empty strings":       {`{"auth":"","user_data":""}`, protocol.Signin{HasAuth: true, HasUserData: true}},
		"absent":              {``, protocol.Signin{}},
		"string cut":          {`"{\"auth\":\"k\""`, protocol.Signin{}},
		"number":              {`1`, protocol.Signin{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := protocol.ParseSignin([]byte(test.data)); got != test.want {
				t.Errorf("ParseSignin(%s) = %+v, want %+v", test.data, got, test.want)
			}
		})
	}
}

// TestSentMessagesAreRead: what encoding/json writes is read back.
func TestSentMessagesAreRead(t *testing.T) {
	type data struct {
		Channel     string `json:"channel"`
		Auth        string `json:"auth"`
		ChannelData string `json:"channel_data"`
	}
	rapid.Check(t, func(t *rapid.T) {
		in := data{rapid.String().Draw(t, "channel"), rapid.String().Draw(t, "auth"), rapid.String().Draw(t, "channel_data")}
		event := rapid.StringN(1, -1, -1).Draw(t, "event")
		text, err := json.Marshal(map[string]any{"event": event, "data": in, "channel": in.Channel})
		if err != nil {
			t.Fatal(err)
		}
		m, refusal := protocol.ParseMessage(text)
		if refusal != nil || m.Event != event || !m.HasChannel || m.Channel != in.Channel {
			t.Fatalf("ParseMessage(%s) = %s, %v", text, show(m), refusal)
		}
		want := protocol.Subscribe{Channel: in.Channel, Auth: in.Auth, ChannelData: in.ChannelData, HasChannel: true, HasAuth: true, HasChannelData: true}
		if got := protocol.ParseSubscribe(m.Data); got != want {
			t.Fatalf("ParseSubscribe(%s) = %+v, want %+v", m.Data, got, want)
		}
		wrapped := rawjson.AppendQuoted(nil, m.Data)
		if got := protocol.ParseSubscribe(wrapped); got != want {
			t.Fatalf("ParseSubscribe(%s) = %+v, want %+v", wrapped, got, want)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		`{"event":"pusher:subscribe","data":{"auth":"k:d","channel":"presence-a","channel_data":"{\"user_id\":10}"}}`,
		`{"event":"pusher:signin","data":"{\"auth\":\"k:d\",\"user_data\":\"{}\"}"}`,
		`{"event":"client-a","channel":"private-b","data":[1,"\ud800"],"event":null}`,
		`{"Event":"x"}`, `[]`, ``, "{\"event\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := protocol.ParseMessage(text)
		var members map[string]json.RawMessage
		if !rawjson.Valid(text) || json.Unmarshal(text, &members) != nil || members == nil {
			if err != protocol.ErrInvalidJSON {
				t.Fatalf("ParseMessage(%q) = %v, want %v", text, err, protocol.ErrInvalidJSON)
			}
			return
		}
		event, _ := stringIn(members["event"])
		channel, hasChannel := stringIn(members["channel"])
		if event == "" {
			if err != protocol.ErrMissingEvent {
				t.Fatalf("ParseMessage(%q) = %v, want %v", text, err, protocol.ErrMissingEvent)
			}
			return
		}
		if err != nil || m.Event != event || m.Channel != channel || m.HasChannel != hasChannel || !bytes.Equal(m.Data, members["data"]) {
			t.Fatalf("ParseMessage(%q) = %s, %v", text, show(m), err)
		}
		checkData(t, m.Data)
	})
}

// stringIn decodes value with encoding/json, if it is a string.
func stringIn(value json.RawMessage) (s string, ok bool) {
	var p *string
	if value == nil || json.Unmarshal(value, &p) != nil || p == nil {
		return "", false
	}
	return *p, true
}

// checkData reads data in every way that there is.
func checkData(t *testing.T, data []byte) {
	object := data
	if text, ok := stringIn(data); ok {
		object = []byte(text)
	}
	var members map[string]json.RawMessage
	if rawjson.Valid(object) && json.Unmarshal(object, &members) != nil {
		members = nil
	}
	var s protocol.Subscribe
	s.Channel, s.HasChannel = stringIn(members["channel"])
	s.Auth, s.HasAuth = stringIn(members["auth"])
	s.ChannelData, s.HasChannelData = stringIn(members["channel_data"])
	raw, present := members["channel_data"]
	s.BadChannelData = present && !s.HasChannelData && string(raw) != "null"
	if got := protocol.ParseSubscribe(data); got != s {
		t.Fatalf("ParseSubscribe(%q) = %+v, want %+v", data, got, s)
	}
	var in protocol.Signin
	in.Auth, in.HasAuth = s.Auth, s.HasAuth
	in.UserData, in.HasUserData = stringIn(members["user_data"])
	if got := protocol.ParseSignin(data); got != in {
		t.Fatalf("ParseSignin(%q) = %+v, want %+v", data, got, in)
	}
	literal := protocol.AppendDataLiteral(nil, data)
	relayed, ok := stringIn(literal)
	if !ok || protocol.DataLen(data) != len(relayed) || !utf8.Valid(literal) {
		t.Fatalf("AppendDataLiteral(%q) = %q, length %d", data, literal, protocol.DataLen(data))
	}
}
