package bench

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// A Config is one run.
type Config struct {
	Target   Target
	Load     Load
	Settings Settings // as Load.Defaults has them, or changed

	// PID is the process of the service, on this machine, for what it uses.
	// Zero leaves that out.
	PID int
	// Floor is how long a floor is measured, before the load and after it.
	// Zero leaves it out.
	Floor time.Duration
	// Readers is how many goroutines read the connections. Zero is 1.
	Readers int
	// Portable reads with a goroutine for every connection also where epoll
	// would do.
	Portable bool
	// AllowRemote permits an address that is not of this machine.
	AllowRemote bool
	// Progress is told how far the run is, several times a second. It may be
	// nil, and must not block.
	Progress func(Status)

	settle     time.Duration // zero: settleTime; tests have nothing to wait for
	drainPause time.Duration // zero: drainPause
}

// What a run may ask for at most. They protect from a slip of the finger.
const (
	MaxDuration = time.Hour
	MaxRate     = 10_000_000
	MaxPayload  = 1 << 20

	maxChannels  = 1_000_000
	maxInflight  = 4096
	maxReaders   = 64
	maxSequences = 20_000_000 // 40 bytes each
)

// A SettingError is a setting that can not be meant.
type SettingError struct {
	Setting string // as the flag is called
	Text    string
}

func (e *SettingError) Error() string { return e.Setting + " " + e.Text }

// check returns every mistake in the settings.
func (c Config) check() error {
	s, uses := c.Settings, c.Load.Uses
	var errs []error
	need := func(ok bool, setting, format string, args ...any) {
		if !ok {
			errs = append(errs, &SettingError{setting, fmt.Sprintf(format, args...)})
		}
	}
	least := 1
	if c.Load.does == triggers {
		least = 0
	}
	need(s.Connections >= least, "connections", "must be at least %d", least)
	need(s.Channels >= 1 && s.Channels <= maxChannels, "channels", "must be between 1 and %d", maxChannels)
	need(s.Subscriptions >= 1 && s.Subscriptions <= s.Channels, "subscriptions", "must be between 1 and the number of channels, %d", s.Channels)
	need(s.Duration > 0 && s.Duration <= MaxDuration, "duration", "must be above 0 and at most %s", MaxDuration)
	need(s.Warmup >= 0 && s.Warmup <= MaxDuration, "warmup", "must be between 0 and %s", MaxDuration)
	need(s.Rate >= 0 && s.Rate <= MaxRate, "rate", "must be between 0 (as fast as the service answers) and %d", MaxRate)
	need(!uses.Has(UsesInflight) || s.Inflight >= 1 && s.Inflight <= maxInflight, "inflight", "must be between 1 and %d", maxInflight)
	need(!uses.Has(UsesBatch) || s.Batch >= 1 && s.Batch <= 1000, "batch", "must be between 1 and 1000; services take 10 at most unless told otherwise")
	need(s.Payload >= 0 && s.Payload <= MaxPayload, "payload", "must be between 0 and %d", MaxPayload)
	need(s.Slow >= 0 && (s.Slow == 0 || s.Slow < s.Connections), "slow", "must be fewer than the connections, %d", s.Connections)
	need(s.Backlog >= 0, "backlog", "must not be below 0")
	need(c.Floor >= 0 && c.Floor <= time.Minute, "floor", "must be between 0 (none) and 1m")
	need(c.Readers >= 0 && c.Readers <= maxReaders, "readers", "must be at most %d", maxReaders)
	if c.Load.does == chats || c.Load.does == churns {
		need(s.Connections >= 2*s.Channels, "connections", "must be at least two for every channel, of which there are %d", s.Channels)
	}
	return errors.Join(errs...)
}

// backlog is how many deliveries may be on their way without a rate: what all
// publishers send at once, and some more.
func (c Config) backlog(p *plan) int {
	s := c.Settings
	return cmp.Or(s.Backlog, 2*s.Connections+2000+int(p.perEvent()*float64(s.Inflight*max(s.Batch, 1))))
}

// checkPlan returns why a plan is more than this process can do.
func (c Config) checkPlan(p *plan) error {
	if n := p.sequences(); n > maxSequences {
		return &SettingError{"connections", fmt.Sprintf(
			"with %d channels make %d accounts of who got what from whom, and there is room for %d; take fewer connections, fewer publishers (--inflight) or more channels",
			len(p.names), n, maxSequences)}
	}
	need := c.Settings.Connections + c.Settings.Inflight + spareDescriptors
	if floor := floorOf(p, c); floor.sockets > 0 {
		need = max(need, 2*floor.sockets+spareDescriptors)
	}
	if err := checkDescriptors(need); err != nil {
		return err
	}
	return checkPorts(c.Settings.Connections)
}

// spareDescriptors is what a process has open anyway, and some more.
const spareDescriptors = 64

// A DescriptorError is a load that needs more open files than the process may
// have.
type DescriptorError struct{ Need, Limit uint64 }

func (e *DescriptorError) Error() string {
	advice := fmt.Sprintf("raise the limit (ulimit -n %d) or take fewer --connections", e.Need)
	if runtime.GOOS == "windows" {
		advice = "take fewer --connections"
	}
	return fmt.Sprintf("the load needs %d open files, and this process may have %d; %s", e.Need, e.Limit, advice)
}
