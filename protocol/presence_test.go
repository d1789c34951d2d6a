package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// present is raw user_info as it counts: null is none.
func present(raw []byte) []byte {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// info returns raw user_info for printing.
func info(raw []byte) string {
	if raw == nil {
		return "none"
	}
	return string(raw)
}

func TestParseMember(t *testing.T) {
	tests := map[string]struct{ channelData, id, info string }{
		"string id":           {`{"user_id":"16","user_info":{"name":"Ann"}}`, "16", `{"name":"Ann"}`},
		"number id":           {`{"user_id":10,"user_info":{"name":"Mr. Channels"}}`, "10", `{"name":"Mr. Channels"}`},
		"no info":             {`{"user_id":"10"}`, "10", "none"},
		"null info":           {`{"user_id":"10","user_info":null}`, "10", "none"},
		"info of any kind":    {`{"user_id":"10","user_info": [1, "a"] }`, "10", `[1, "a"]`},
		"info keeps its text": {`{"user_info":{"n":12345678901234567890.10,"u":"https:\/\/\u00e9"},"user_id":"7"}`, "7", `{"n":12345678901234567890.10,"u":"https:\/\/\u00e9"}`},
		"spaces":              {" { \"user_id\" : 10 } ", "10", "none"},
		"zero":                {`{"user_id":0}`, "0", "none"},
		"minus zero":          {`{"user_id":-0}`, "-0", "none"},
		"negative":            {`{"user_id":-5}`, "-5", "none"},
		"2^53":                {`{"user_id":9007199254740992}`, "9007199254740992", "none"},
		"-2^53":               {`{"user_id":-9007199254740992}`, "-9007199254740992", "none"},
		"escaped id":          {`{"user_id":"\u0031\n"}`, "1\n", "none"},
		"others are ignored":  {`{"user_id":"1","id":"2","USER_ID":"3"}`, "1", "none"},
		"last one wins":       {`{"user_id":{},"user_id":"2","user_info":1,"user_info":2}`, "2", "2"},
		"long id":             {`{"user_id":"` + strings.Repeat("é", 129) + `"}`, strings.Repeat("é", 129), "none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseMember(test.channelData)
			if err != nil || got.UserID != test.id || info(got.UserInfo) != test.info {
				t.Errorf("ParseMember(%s) = %q %s, %v, want %q %s", test.channelData, got.UserID, info(got.UserInfo), err, test.id, test.info)
			}
		})
	}
}

func TestUserInfoIsAnObjectOrNothing(t *testing.T) {
	for info, want := range map[string]*protocol.Error{
		`{}`: nil, `{"a":[1]}`: nil, `null`: nil,
		`[]`: protocol.ErrUserInfo, `"x"`: protocol.ErrUserInfo, `1`: protocol.ErrUserInfo, `true`: protocol.ErrUserInfo, `false`: protocol.ErrUserInfo, `""`: protocol.ErrUserInfo,
	} {
		m, err := protocol.ParseMember(`{"user_id":"1","user_info": ` + info + ` }`)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.CheckInfo(); got != want {
			t.Errorf("CheckInfo with user_info %s = %v, want %v", info, got, want)
		}
	}
}

func TestParseMemberRefusals(t *testing.T) {
	tests := map[string]struct {
		channelData string
		want        error
	}{
		"empty":            {``, protocol.ErrChannelDataObject},
		"null":             {`null`, protocol.ErrChannelDataObject},
		"array":            {`[]`, protocol.ErrChannelDataObject},
		"string":           {`"{\"user_id\":\"1\"}"`, protocol.ErrChannelDataObject},
		"cut":              {`{"user_id":"1"`, protocol.ErrChannelDataObject},
		"trailing garbage": {`{"user_id":"1"}}`, protocol.ErrChannelDataObject},
		"leading zero":     {`{"user_id":010}`, protocol.ErrChannelDataObject},
		"leading plus":     {`{"user_id":+1}`, protocol.ErrChannelDataObject},
		"no id":            {`{"user_info":{}}`, protocol.ErrMemberID},
		"empty id":         {`{"user_id":""}`, protocol.ErrMemberID},
		"null id":          {`{"user_id":null}`, protocol.ErrMemberID},
		"true":             {`{"user_id":true}`, protocol.ErrMemberID},
		"array id":         {`{"user_id":["1"]}`, protocol.ErrMemberID},
		"object id":        {`{"user_id":{}}`, protocol.ErrMemberID},
		"fraction":         {`{"user_id":1.5}`, protocol.ErrMemberID},
		"whole fraction":   {`{"user_id":1.0}`, protocol.ErrMemberID},
		"exponent":         {`{"user_id":1e3}`, protocol.ErrMemberID},
		"2^53+1":           {`{"user_id":9007199254740993}`, protocol.ErrMemberID},
		"-2^53-1":          {`{"user_id":-9007199254740993}`, protocol.ErrMemberID},
		"beyond 64 bits":   {`{"user_id":99999999999999999999}`, protocol.ErrMemberID},
		"last id is none":  {`{"user_id":"1","user_id":null}`, protocol.ErrMemberID},
		"user_id's case":   {`{"User_Id":"1"}`, protocol.ErrMemberID},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseMember(test.channelData)
			if !errors.Is(err, test.want) || got.UserID != "" || got.UserInfo != nil {
				t.Errorf("ParseMember(%s) = %+v, %v, want %v", test.channelData, got, err, test.want)
			}
		})
	}
}

func TestAppendPresenceSucceeded(t *testing.T) {
	tests := map[string]struct {
		members []protocol.Member
		want    string
	}{
		"two": {
			[]protocol.Member{{"16", []byte(`{"name":"Ann"}`)}, {"17", nil}},
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room-1","data":"{\"presence\":{\"count\":2,\"ids\":[\"16\",\"17\"],\"hash\":{\"16\":{\"name\":\"Ann\"},\"17\":null}}}"}`,
		},
		"one": {
			[]protocol.Member{{"16", []byte(`{"name":"Ann"}`)}},
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room-1","data":"{\"presence\":{\"count\":1,\"ids\":[\"16\"],\"hash\":{\"16\":{\"name\":\"Ann\"}}}}"}`,
		},
		"spaces and escapes": {
			[]protocol.Member{{`a"b`, []byte(`{ "u": "\/\u00e9 \"" }`)}},
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room-1","data":"{\"presence\":{\"count\":1,\"ids\":[\"a\\\"b\"],\"hash\":{\"a\\\"b\":{\"u\":\"\\/\\u00e9 \\\"\"}}}}"}`,
		},
		"none": {
			nil,
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room-1","data":"{\"presence\":{\"count\":0,\"ids\":[],\"hash\":{}}}"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := protocol.AppendPresenceSucceeded([]byte("x"), "presence-room-1", slices.Values(test.members), len(test.members))
			if string(got) != "x"+test.want {
				t.Errorf("AppendPresenceSucceeded = %s, want x%s", got, test.want)
			}
		})
	}
}

func TestMemberNews(t *testing.T) {
	tests := map[string]struct {
		got  []byte
		want string
	}{
		"added":           {protocol.AppendMemberAdded(nil, "presence-room-1", protocol.Member{UserID: "17", UserInfo: []byte(`{"name": "Bob"}`)}), `{"event":"pusher_internal:member_added","channel":"presence-room-1","data":"{\"user_id\":\"17\",\"user_info\":{\"name\":\"Bob\"}}"}`},
		"added, no info":  {protocol.AppendMemberAdded(nil, "presence-room-1", protocol.Member{UserID: "17"}), `{"event":"pusher_internal:member_added","channel":"presence-room-1","data":"{\"user_id\":\"17\"}"}`},
		"added, null":     {protocol.AppendMemberAdded(nil, "presence-room-1", protocol.Member{UserID: "17", UserInfo: []byte(`null`)}), `{"event":"pusher_internal:member_added","channel":"presence-room-1","data":"{\"user_id\":\"17\",\"user_info\":null}"}`},
		"removed":         {protocol.AppendMemberRemoved(nil, "presence-room-1", "17"), `{"event":"pusher_internal:member_removed","channel":"presence-room-1","data":"{\"user_id\":\"17\"}"}`},
		"removed, quoted": {protocol.AppendMemberRemoved(nil, "presence-room-1", `a"<é>`), `{"event":"pusher_internal:member_removed","channel":"presence-room-1","data":"{\"user_id\":\"a\\\"<é>\"}"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if string(test.got) != test.want {
				t.Errorf("frame = %s, want %s", test.got, test.want)
			}
		})
	}
}

// TestSnapshotsAreRead: clients, which decode twice, find every member.
func TestSnapshotsAreRead(t *testing.T) {
	member := rapid.Custom(func(t *rapid.T) protocol.Member {
		m := protocol.Member{UserID: rapid.StringN(1, 20, -1).Draw(t, "id")}
		if rapid.Bool().Draw(t, "has info") {
			m.UserInfo = rawjson.AppendString(nil, rapid.String().Draw(t, "info"))
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(member, 0, 10, func(m protocol.Member) string { return m.UserID }).Draw(t, "members")
		frame := protocol.AppendPresenceSucceeded(nil, "presence-x", slices.Values(members), len(members))
		var outer struct{ Data string }
		var inner struct {
			Presence struct {
				Count int
				IDs   []string
				Hash  map[string]json.RawMessage
			}
		}
		if err := json.Unmarshal(frame, &outer); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if err := json.Unmarshal([]byte(outer.Data), &inner); err != nil {
			t.Fatalf("%s: %v", outer.Data, err)
		}
		p := inner.Presence
		if p.Count != len(members) || len(p.IDs) != len(members) || len(p.Hash) != len(members) {
			t.Fatalf("snapshot of %v = %+v", members, p)
		}
		for i, m := range members {
			want := "null"
			if m.UserInfo != nil {
				want = string(m.UserInfo)
			}
			if p.IDs[i] != m.UserID || string(p.Hash[m.UserID]) != want {
				t.Fatalf("member %d = %q %s, want %q %s", i, p.IDs[i], p.Hash[m.UserID], m.UserID, want)
			}
		}
	})
}

var integer = regexp.MustCompile(`\A-?(0|[1-9][0-9]*)\z`)

func FuzzParseMember(f *testing.F) {
	for _, seed := range []string{
		`{"user_id":10,"user_info":{"name":"Mr. Channels"}}`, `{"user_id":"\u0031"}`, `{"user_id":9007199254740993}`,
		`{"user_id":-0,"user_info": null}`, `{"user_id":1e2}`, `[]`, `{"user_info":[1 , 2]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, channelData string) {
		got, err := protocol.ParseMember(channelData)
		var members map[string]json.RawMessage
		if !rawjson.Valid([]byte(channelData)) || json.Unmarshal([]byte(channelData), &members) != nil || members == nil {
			if err != protocol.ErrChannelDataObject {
				t.Fatalf("ParseMember(%q) = %v, want %v", channelData, err, protocol.ErrChannelDataObject)
			}
			return
		}
		id, ok := stringIn(members["user_id"])
		if text := string(members["user_id"]); !ok && integer.MatchString(text) {
			n, _ := new(big.Int).SetString(text, 10)
			if n.CmpAbs(big.NewInt(1<<53)) <= 0 {
				id = text
			}
		}
		if id == "" {
			if err != protocol.ErrMemberID {
				t.Fatalf("ParseMember(%q) = %v, want %v", channelData, err, protocol.ErrMemberID)
			}
			return
		}
		if err != nil || got.UserID != id || info(got.UserInfo) != info(present(members["user_info"])) {
			t.Fatalf("ParseMember(%q) = %q %s, %v", channelData, got.UserID, info(got.UserInfo), err)
		}
		for _, frame := range [][]byte{
			protocol.AppendMemberAdded(nil, "presence-x", got),
			protocol.AppendMemberRemoved(nil, "presence-x", id),
			protocol.AppendPresenceSucceeded(nil, "presence-x", slices.Values([]protocol.Member{got}), 1),
		} {
			if err := checkFrame(frame, true); err != nil {
				t.Fatalf("ParseMember(%q): %v", channelData, err)
			}
		}
	})
}

// checkFrame checks what is true of every outbound message: one object with
// known members and, if wanted, data that is a string with one object.
func checkFrame(frame []byte, dataIsString bool) error {
	var err error
	objectErr := rawjson.Object(frame, func(key, value []byte) {
		switch string(key) {
		case "event", "channel", "user_id":
			if !rawjson.IsString(value) {
				err = fmt.Errorf("%s is no string in %s", key, frame)
			}
		case "data":
			text, ok := rawjson.String(value)
			if ok != dataIsString || ok && !(rawjson.Valid([]byte(text)) && rawjson.IsObject([]byte(text))) {
				err = fmt.Errorf("bad data in %s", frame)
			}
		default:
			err = fmt.Errorf("unknown member in %s", frame)
		}
	})
	return errors.Join(err, objectErr)
}
