package membroker

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is one for brokertest.
type network struct{ *Network }

func (n network) Join(_ testing.TB, name string) broker.Broker { return n.Network.Join(name) }
func (n network) Cut(_ testing.TB, a, b string)                { n.Network.Cut(a, b) }
func (n network) Heal(_ testing.TB, a, b string)               { n.Network.Heal(a, b) }
func (n network) MaxPending() int                              { return int(n.opts.MaxPending) }
func (n network) MaxMessage() int                              { return n.opts.MaxPacket }
func (n network) Lease() time.Duration                         { return n.opts.Lease }

func TestContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, test func(*testing.T, brokertest.Network)) {
		synctest.Test(t, func(t *testing.T) {
			test(t, network{NewNetwork(Options{Lease: 5 * time.Second, Grace: 5 * time.Second, MaxPending: 1 << 20})})
		})
	})
}
