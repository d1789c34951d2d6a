package engine

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestLoginsThatFailDoNotFloodTheLog(t *testing.T) {
	var text strings.Builder
	l := &serverLog{engine: &Engine{log: slog.New(slog.NewTextHandler(&text, nil))}}
	for i := range 1000 {
		l.Errorf("10.0.%d.%d:%d - rid:%d - authentication error", i/250, i%250, 1024+i, i)
		l.Errorf("[2001:db8::%x]:%d - rid:%d - TLS route handshake error: EOF", i, 1024+i, i)
	}
	l.Warnf("something else")
	for kind, want := range map[string]int{"authentication error": 10, "handshake error": 10, "something else": 1} {
		if got := strings.Count(text.String(), kind); got != want {
			t.Errorf("%q is told %d times, want %d", kind, got, want)
		}
	}
	if l.lastError() != fmt.Sprintf("[2001:db8::%x]:%d - rid:%d - TLS route handshake error: EOF", 999, 1024+999, 999) {
		t.Errorf("the last error is %q", l.lastError())
	}
}
