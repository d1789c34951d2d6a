package engine

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that are left. The server leaves some of its own
// when it could not make a stream because the disk was full.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}
