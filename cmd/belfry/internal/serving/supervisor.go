package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/belfryhq/belfry/internal/server"
)

// A Supervisor is told how a service is, if one has started it that wants to
// know: systemd, for a unit with Type=notify. It says so with NOTIFY_SOCKET.
type Supervisor struct{ Log *slog.Logger }

// Tell sends a state. Nobody is told where nobody asked.
func (s Supervisor) Tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.Log.Warn("systemd could not be told how the service is", "state", state, "err", err)
	}
}

func (s Supervisor) ready() { s.Tell(daemon.SdNotifyReady) }

// reloading begins a reload, which ready ends.
func (s Supervisor) reloading() {
	s.Tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the service ends, and how long that may take: longer than
// TimeoutStopSec, if drain_timeout is long.
func (s Supervisor) Stopping(within time.Duration) {
	s.Tell(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, within.Microseconds()))
}

// Watch tells the watchdog, as often as it wants, that the node is alive, until
// ctx ends. A node that is stuck is not reported, so that systemd ends it.
func (s Supervisor) Watch(ctx context.Context, node server.Node) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.Log.Warn("the watchdog of systemd is not fed", "err", err)
	}
	if err != nil || limit == 0 {
		return
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	for {
		s.look(ctx, node, limit/2)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look tells the watchdog that the node is alive, if it shows so in time.
func (s Supervisor) look(ctx context.Context, node server.Node, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := node.Alive(ctx); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.Log.Error("the node is stuck; the watchdog is not told that it lives", "err", err)
		}
		return
	}
	s.Tell(daemon.SdNotifyWatchdog)
}
