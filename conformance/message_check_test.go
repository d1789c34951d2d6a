package conformance

import "testing"

// TestParseMessage checks the suite itself: statement 47 of the WebSocket
// checklist is only as good as the frames that are refused here.
func TestParseMessage(t *testing.T) {
	for name, test := range map[string]struct {
		frame string
		ok    bool
	}{
		"event":                {`{"event":"e","channel":"c","data":"x"}`, true},
		"client event":         {`{"event":"client-e","channel":"c","data":"x","user_id":"1"}`, true},
		"pong":                 {`{"event":"pusher:pong","data":"{}"}`, true},
		"error":                {`{"event":"pusher:error","data":{"code":null,"message":"m"}}`, true},
		"error as string":      {`{"event":"pusher:error","data":"{}"}`, false},
		"pong with an object":  {`{"event":"pusher:pong","data":{}}`, false},
		"pong with a text":     {`{"event":"pusher:pong","data":"x"}`, false},
		"pong with white room": {`{"event":"pusher:pong","data":"{ }"}`, false},
		"no data":              {`{"event":"pusher:pong"}`, false},
		"null data":            {`{"event":"e","channel":"c","data":null}`, false},
		"no event":             {`{"data":"x"}`, false},
		"numeric event":        {`{"event":5,"data":"x"}`, false},
		"null channel":         {`{"event":"e","channel":null,"data":"x"}`, false},
		"numeric user":         {`{"event":"client-e","channel":"c","data":"x","user_id":1}`, false},
		"unknown member":       {`{"event":"e","data":"x","id":1}`, false},
		"member twice":         {`{"event":"e","data":"x","data":"x"}`, false},
		"array":                {`[]`, false},
		"empty":                {``, false},
		"two values":           {`{"event":"e","data":"x"}{}`, false},
		"not UTF-8":            {"{\"event\":\"e\",\"data\":\"\xff\"}", false},
	} {
		_, err := parseMessage([]byte(test.frame))
		if ok := err == nil; ok != test.ok {
			t.Errorf("%s: parseMessage(%s) = %v, want accepted: %v", name, test.frame, err, test.ok)
		}
	}
}
