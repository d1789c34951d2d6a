package protocol

import "testing"

// The place is the last member of an event, and is written where its digits stand,
// whatever is in the event.
func TestPlaceOfAnEvent(t *testing.T) {
	message := AppendPlaced(nil, "e", "c", []byte(`"\"}"`), "u", "ABCDEFGHIJKLMNOP")
	PutPlace(message, 0xabcdef)
	const want = `{"event":"e","channel":"c","data":"\"}","user_id":"u","position":"ABCDEFGHIJKLMNOP-000000abcdef"}`
	if got := string(message); got != want {
		t.Errorf("the event is %s, want %s", got, want)
	}
}
