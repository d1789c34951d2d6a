package protocol_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

func TestParseUserData(t *testing.T) {
	long := strings.Repeat("é", 200)
	tests := map[string]struct {
		userData  string
		id, info  string
		watchlist []string
	}{
		"id alone":            {`{"id":"12345"}`, "12345", "none", nil},
		"all members":         {`{"id":"16","user_info":{"name":"Ann"},"watchlist":["17","18"]}`, "16", `{"name":"Ann"}`, []string{"17", "18"}},
		"any characters":      {`{"id":"ą§¶™€łü€ß£"}`, "ą§¶™€łü€ß£", "none", nil},
		"200 characters":      {`{"id":"` + long + `"}`, long, "none", nil},
		"empty watchlist":     {`{"id":"1","watchlist":[]}`, "1", "none", nil},
		"null watchlist":      {`{"id":"1","watchlist":null}`, "1", "none", nil},
		"repeated ids":        {`{"id":"1","watchlist":["b","a","b","\u0061","c"]}`, "1", "none", []string{"b", "a", "c"}},
		"own id":              {`{"id":"1","watchlist":["1"]}`, "1", "none", []string{"1"}},
		"others are ignored":  {`{"id":"1","ID":"2","name":"x","user_info":null}`, "1", "none", nil},
		"last one wins":       {`{"id":1,"id":"2","watchlist":3,"watchlist":["4"]}`, "2", "none", []string{"4"}},
		"info keeps its text": {`{"id":"1","user_info": {"n": 1.0} }`, "1", `{"n": 1.0}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseUserData(test.userData)
			if err != nil || got.ID != test.id || info(got.UserInfo) != test.info || !slices.Equal(got.Watchlist, test.watchlist) {
				t.Errorf("ParseUserData(%s) = %q %s %q, %v, want %q %s %q", test.userData, got.ID, info(got.UserInfo), got.Watchlist, err, test.id, test.info, test.watchlist)
			}
		})
	}
}

func TestParseUserDataRefusals(t *testing.T) {
	tests := map[string]struct {
		userData string
		want     error
	}{
		"empty":                     {``, protocol.ErrUserDataObject},
		"string":                    {`"1"`, protocol.ErrUserDataObject},
		"array":                     {`["1"]`, protocol.ErrUserDataObject},
		"cut":                       {`{"id":"1"`, protocol.ErrUserDataObject},
		"no id":                     {`{}`, protocol.ErrUserID},
		"empty id":                  {`{"id":""}`, protocol.ErrUserID},
		"number id":                 {`{"id":16}`, protocol.ErrUserID},
		"null id":                   {`{"id":null}`, protocol.ErrUserID},
		"last id is none":           {`{"id":"1","id":2}`, protocol.ErrUserID},
		"201 characters":            {`{"id":"` + strings.Repeat("é", 201) + `"}`, protocol.ErrUserID},
		"newline":                   {`{"id":"a\n"}`, protocol.ErrUserID},
		"NUL":                       {`{"id":"\u0000"}`, protocol.ErrUserID},
		"DEL":                       {"{\"id\":\"a\x7f\"}", protocol.ErrUserID},
		"watchlist string":          {`{"id":"1","watchlist":"17"}`, protocol.ErrWatchlist},
		"watchlist object":          {`{"id":"1","watchlist":{"0":"17"}}`, protocol.ErrWatchlist},
		"watchlist false":           {`{"id":"1","watchlist":false}`, protocol.ErrWatchlist},
		"watchlist of numbers":      {`{"id":"1","watchlist":["17",18]}`, protocol.ErrWatchlist},
		"watchlist of nulls":        {`{"id":"1","watchlist":[null]}`, protocol.ErrWatchlist},
		"id before watchlist":       {`{"watchlist":1}`, protocol.ErrUserID},
		"last watchlist is no list": {`{"id":"1","watchlist":["1"],"watchlist":1}`, protocol.ErrWatchlist},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.ParseUserData(test.userData)
			if !errors.Is(err, test.want) || got.ID != "" || got.UserInfo != nil || got.Watchlist != nil {
				t.Errorf("ParseUserData(%s) = %+v, %v, want %v", test.userData, got, err, test.want)
			}
		})
	}
}

func TestUserFrames(t *testing.T) {
	tests := map[string]struct {
		got  []byte
		want string
	}{
		"sign-in": {
			protocol.AppendSigninSuccess(nil, `{"id":"16","user_info":{"name":"Ann"},"watchlist":["17","18"]}`),
			`{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"16\\\",\\\"user_info\\\":{\\\"name\\\":\\\"Ann\\\"},\\\"watchlist\\\":[\\\"17\\\",\\\"18\\\"]}\"}"}`,
		},
		"online and offline": {
			protocol.AppendWatchlistEvents(nil, []string{"17"}, []string{"18", "19"}),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"17\"]},{\"name\":\"offline\",\"user_ids\":[\"18\",\"19\"]}]}"}`,
		},
		"online": {
			protocol.AppendWatchlistEvents(nil, []string{"18"}, nil),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"18\"]}]}"}`,
		},
		"offline": {
			protocol.AppendWatchlistEvents(nil, []string{}, []string{`a"`}),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"a\\\"\"]}]}"}`,
		},
		"nobody": {
			protocol.AppendWatchlistEvents(nil, nil, nil),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[]}"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if string(test.got) != test.want {
				t.Errorf("frame = %s, want %s", test.got, test.want)
			}
		})
	}
}

// TestUserDataIsRepeatedUnchanged: three levels of encoding lose nothing.
func TestUserDataIsRepeatedUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		userData := rapid.String().Draw(t, "user_data")
		var outer struct{ Data string }
		var inner struct {
			UserData string `json:"user_data"`
		}
		frame := protocol.AppendSigninSuccess(nil, userData)
		if err := errors.Join(json.Unmarshal(frame, &outer), json.Unmarshal([]byte(outer.Data), &inner)); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if inner.UserData != userData {
			t.Fatalf("user_data = %q, want %q", inner.UserData, userData)
		}
	})
}

func FuzzParseUserData(f *testing.F) {
	for _, seed := range []string{
		`{"id":"16","user_info":{"name":"Ann"},"watchlist":["17","18","17"]}`, `{"id":1}`, `{"id":"a\n"}`,
		`{"id":"1","watchlist":null}`, `{"id":"1","watchlist":[1]}`, `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userData string) {
		got, err := protocol.ParseUserData(userData)
		var members map[string]json.RawMessage
		if !rawjson.Valid([]byte(userData)) || json.Unmarshal([]byte(userData), &members) != nil || members == nil {
			if err != protocol.ErrUserDataObject {
				t.Fatalf("ParseUserData(%q) = %v, want %v", userData, err, protocol.ErrUserDataObject)
			}
			return
		}
		id, _ := stringIn(members["id"])
		control := func(r rune) bool { return r < 0x20 || r == 0x7f }
		if id == "" || utf8.RuneCountInString(id) > 200 || strings.ContainsFunc(id, control) {
			if err != protocol.ErrUserID {
				t.Fatalf("ParseUserData(%q) = %v, want %v", userData, err, protocol.ErrUserID)
			}
			return
		}
		watchlist, ok := watchlistIn(members["watchlist"])
		if !ok {
			if err != protocol.ErrWatchlist {
				t.Fatalf("ParseUserData(%q) = %v, want %v", userData, err, protocol.ErrWatchlist)
			}
			return
		}
		if err != nil || got.ID != id || info(got.UserInfo) != info(present(members["user_info"])) || !slices.Equal(got.Watchlist, watchlist) {
			t.Fatalf("ParseUserData(%q) = %+v, %v", userData, got, err)
		}
		if err := errors.Join(checkFrame(protocol.AppendSigninSuccess(nil, userData), true), checkFrame(protocol.AppendWatchlistEvents(nil, watchlist, []string{id}), true)); err != nil {
			t.Fatal(err)
		}
	})
}

// watchlistIn decodes a watchlist with encoding/json.
func watchlistIn(value json.RawMessage) (ids []string, ok bool) {
	if value == nil {
		return nil, true
	}
	var pointers []*string
	if json.Unmarshal(value, &pointers) != nil {
		return nil, false
	}
	for _, p := range pointers {
		if p == nil {
			return nil, false
		}
		if !slices.Contains(ids, *p) {
			ids = append(ids, *p)
		}
	}
	return ids, true
}
