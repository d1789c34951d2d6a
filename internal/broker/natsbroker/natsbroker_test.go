package natsbroker

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatient is for tests in which nodes die.
var impatient = Config{Lease: 2 * time.Second, Grace: time.Second, MaxPending: 1 << 20}

// TestContract runs over servers with routes between each two of them.
func TestContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, test func(*testing.T, brokertest.Network)) {
		t.Parallel()
		test(t, newNetwork(impatient))
	})
}
