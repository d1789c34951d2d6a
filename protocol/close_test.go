package protocol_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/protocol"
)

func TestCloseCodes(t *testing.T) {
	type meaning struct {
		code   int
		fatal  bool
		action protocol.Action
	}
	tests := map[protocol.CloseCode]meaning{
		protocol.CloseTLSOnly:            {4000, true, protocol.DoNotReconnect},
		protocol.CloseUnknownApp:         {4001, true, protocol.DoNotReconnect},
		protocol.CloseAppDisabled:        {4003, true, protocol.DoNotReconnect},
		protocol.CloseOverQuota:          {4004, true, protocol.DoNotReconnect},
		protocol.ClosePathNotFound:       {4005, true, protocol.DoNotReconnect},
		protocol.CloseInvalidVersion:     {4006, true, protocol.DoNotReconnect},
		protocol.CloseUnsupportedVersion: {4007, true, protocol.DoNotReconnect},
		protocol.CloseNoVersion:          {4008, true, protocol.DoNotReconnect},
		protocol.CloseUnauthorized:       {4009, true, protocol.DoNotReconnect},
		protocol.CloseOverCapacity:       {4100, true, protocol.BackOff},
		protocol.CloseReconnect:          {4200, true, protocol.ReconnectNow},
		protocol.ClosePongTimeout:        {4201, true, protocol.ReconnectNow},
		protocol.CloseInactive:           {4202, true, protocol.ReconnectNow},
		protocol.ErrorClientEventRate:    {4301, false, protocol.Other},
		protocol.ErrorWatchlistLimit:     {4302, false, protocol.Other},
		protocol.CloseNormal:             {1000, true, protocol.Other},
		protocol.CloseGoingAway:          {1001, true, protocol.Other},
		protocol.CloseProtocol:           {1002, true, protocol.Other},
		protocol.CloseUnsupported:        {1003, true, protocol.Other},
		protocol.CloseInvalidText:        {1007, true, protocol.Other},
		protocol.CloseTooBig:             {1009, true, protocol.Other},
		0:                                {0, false, protocol.Other},
		3999:                             {3999, true, protocol.Other},
		4099:                             {4099, true, protocol.DoNotReconnect},
		4199:                             {4199, true, protocol.BackOff},
		4299:                             {4299, true, protocol.ReconnectNow},
		4300:                             {4300, false, protocol.Other},
		4999:                             {4999, false, protocol.Other},
	}
	for code, want := range tests {
		if got := (meaning{int(code), code.Fatal(), code.Action()}); got != want {
			t.Errorf("meaning of %d = %+v, want %+v", code, got, want)
		}
	}
}

func TestCloseReason(t *testing.T) {
	tests := map[string]struct{ message, want string }{
		"short":                 {"Pong reply not received", "Pong reply not received"},
		"empty":                 {"", ""},
		"exactly as long":       {strings.Repeat("a", 123), strings.Repeat("a", 123)},
		"one too long":          {strings.Repeat("a", 124), strings.Repeat("a", 123)},
		"cut before a rune":     {strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		"cut before four bytes": {strings.Repeat("a", 120) + "\U0001F600", strings.Repeat("a", 120)},
		"ends with a rune":      {strings.Repeat("a", 119) + "\U0001F600b", strings.Repeat("a", 119) + "\U0001F600"},
		"only long runes":       {strings.Repeat("☕", 50), strings.Repeat("☕", 41)},
		"invalid UTF-8":         {"a\xffb", "a\uFFFDb"},
		"invalid UTF-8 at 123":  {strings.Repeat("a", 122) + "\xff", strings.Repeat("a", 122)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := protocol.CloseReason(test.message); got != test.want {
				t.Errorf("CloseReason(%q) = %q, want %q", test.message, got, test.want)
			}
		})
	}
}

func TestCloseReasonAlwaysFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.StringN(0, 300, -1).Draw(t, "message")
		if rapid.Bool().Draw(t, "broken") {
			message = string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"))
		}
		got := protocol.CloseReason(message)
		if len(got) > protocol.MaxCloseReason || !utf8.ValidString(got) {
			t.Fatalf("CloseReason(%q) = %q, %d bytes", message, got, len(got))
		}
		if utf8.ValidString(message) && !strings.HasPrefix(message, got) {
			t.Fatalf("CloseReason(%q) = %q, want a start of it", message, got)
		}
		if len(message) > protocol.MaxCloseReason && len(got) < protocol.MaxCloseReason-3 {
			t.Fatalf("CloseReason(%q) = %q, cut to %d bytes", message, got, len(got))
		}
	})
}
