package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

const (
	// statusEvery is how often progress is told.
	statusEvery = 250 * time.Millisecond
	// setupTimeout is how long the connections may take in all, beside their
	// schedule.
	setupTimeout = 2 * time.Minute
	// settleTime is how long the server may get its breath back between the
	// last connection and the load.
	settleTime = 500 * time.Millisecond
	// overtime is how long after the end turns that are late may still be
	// taken.
	overtime = 10 * time.Second
	// drainTime is how long deliveries may be on their way after the end, and
	// drainPause how long none may arrive before the rest is given up.
	drainTime  = 30 * time.Second
	drainPause = 3 * time.Second
)

// ErrInterrupted is a run that ended before there was anything to report.
var ErrInterrupted = errors.New("bench: interrupted before anything was measured")

// A run is one load, from the first connection to the result. One goroutine
// owns it.
type run struct {
	cfg      Config
	endpoint *endpoint
	clock    clock
	plan     *plan
	rec      *recorder
	gate     *gate
	fleet    *fleet
	tally    *tally
	process  process
	floor    floor
	result   *Result
	sending  *sending  // nil before there are events
	requests histogram // of all publishers, when they have ended

	start use     // before there were connections
	peak  int64   // resident bytes
	seen  glimpse // at the last status
}

// A glimpse is what has happened up to a moment.
type glimpse struct {
	at        int64
	published int64
	delivered int64
	use       use
	own       time.Duration
}

// Run puts a load on a service and returns what it showed. If ctx ends, the
// result is of what there was until then and says so; if that is nothing, the
// error is ErrInterrupted. A mistake in the settings is one or more
// *SettingError, joined.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	result, err := runLoad(ctx, cfg)
	if err != nil && ctx.Err() != nil {
		return nil, ErrInterrupted // whatever it was that did not end well
	}
	return result, err
}

func runLoad(ctx context.Context, cfg Config) (*Result, error) {
	r, err := newRun(ctx, cfg)
	if err != nil {
		return nil, err
	}
	before, err := r.measureFloor(ctx, "measuring the floor")
	if err != nil {
		return nil, err
	}
	if r.start, err = r.process.use(); err != nil {
		return nil, err
	}
	if r.fleet.network, err = newNetwork(r.fleet, cfg.Portable); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer r.fleet.close()
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	r.result.Interrupted = ctx.Err() != nil
	r.finish()
	r.fleet.close()
	r.settle()
	after, err := r.measureFloor(ctx, "measuring the floor again")
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	r.compare(before, after)
	return r.result, nil
}

// newRun checks everything that can be checked before there are connections.
func newRun(ctx context.Context, cfg Config) (*run, error) {
	cfg.Readers = max(cfg.Readers, 1)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, clock: newClock(), plan: newPlan(cfg.Load, cfg.Settings), process: process{cfg.PID}}
	if err := cfg.checkPlan(r.plan); err != nil {
		return nil, err
	}
	var err error
	if r.endpoint, err = resolve(ctx, cfg.Target, cfg.AllowRemote); err != nil {
		return nil, err
	}
	if _, err := r.process.use(); err != nil {
		return nil, err
	}
	if cfg.Load.does == triggers {
		b := newBackend(r.endpoint)
		defer b.close()
		if err := b.preflight(ctx, r.plan.names[0]); err != nil {
			return nil, err
		}
	}
	shards := cfg.Readers
	if cfg.Portable || r.endpoint.tls != nil {
		shards = max(shards, runtime.GOMAXPROCS(0)*4)
	}
	r.cfg.Settings.Backlog = cfg.backlog(r.plan)
	r.gate = newGate(int64(r.cfg.Settings.Backlog))
	r.rec = newRecorder(r.clock, r.gate, shards)
	r.fleet = newFleet(r.endpoint, r.plan, r.rec)
	r.tally = newTally(r.plan)
	r.floor = floorOf(r.plan, cfg)
	r.result = &Result{Load: cfg.Load.Name, Started: time.Now(), Settings: r.cfg.Settings, Problems: []Problem{}}
	r.result.Generator.Processors = runtime.GOMAXPROCS(0)
	return r, nil
}

// connect opens and subscribes all connections. For the load that is about it,
// failures are part of the result; else they are its end.
func (r *run) connect(ctx context.Context) error {
	storm := r.plan.work == dials
	s := &schedule{clock: r.clock, start: r.clock.now(), end: r.clock.now() + int64(setupTimeout)}
	atOnce := openings
	if storm {
		s.rate, atOnce = r.cfg.Settings.Rate, r.cfg.Settings.Inflight
		s.end = s.start + int64(r.cfg.Settings.Duration)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := make(chan struct{})
	go func() { defer close(begun); r.fleet.open(ctx, s, atOnce) }()
	own := ownUse()
	r.seen = glimpse{at: s.start, use: r.start, own: own}
	allowed := time.Duration(s.end-s.start) + dialTimeout
	r.wait(ctx, "connecting", allowed, func() bool {
		failed := r.fleet.failed.Load() > 0 && !storm
		return failed || closed(begun) && r.fleet.settled()
	})
	interrupted := ctx.Err() != nil
	cancel()
	<-begun
	joined := r.fleet.joined.Load()
	if err := r.connectError(joined, interrupted, storm); err != nil {
		return err
	}
	took := float64(r.fleet.lastJoin.Load()-s.start) / 1e9
	r.result.Setup.Seconds, r.result.Setup.PerS = round(took), per(float64(joined), took)
	if storm {
		r.result.MeasuredS = round(took)
		r.result.Generator.CPUCores = per((ownUse() - own).Seconds(), took)
	}
	return nil
}

// connectError is why a run can not go on with the connections that it has.
func (r *run) connectError(joined int64, interrupted, storm bool) error {
	wanted := int64(len(r.fleet.sessions))
	switch {
	case interrupted && (!storm || joined == 0):
		return ErrInterrupted
	case storm && joined > 0 || joined == wanted:
		return nil
	}
	if err := r.fleet.firstFailure(); err != nil {
		return fmt.Errorf("bench: %d of %d connections are there, and the next was not to be had: %w", joined, wanted, err)
	}
	return fmt.Errorf("bench: only %d of %d connections were subscribed in time", joined, wanted)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wait tells progress until done, until ctx ends or for that long.
func (r *run) wait(ctx context.Context, phase string, long time.Duration, done func() bool) {
	const look = 10 * time.Millisecond
	if long <= 0 {
		return
	}
	start := r.clock.now()
	told := start
	r.tell(phase, 0, long)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		now := r.clock.now()
		if done != nil && done() || ctx.Err() != nil || now-start >= int64(long) {
			return
		}
		if now-told >= int64(statusEvery) {
			told = now
			r.tell(phase, time.Duration(now-start), long)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// tell tells progress and looks at the memory of the server.
func (r *run) tell(phase string, passed, long time.Duration) {
	now := r.glimpse()
	r.peak = max(r.peak, now.use.resident)
	if r.cfg.Progress == nil {
		return
	}
	s := Status{Load: r.cfg.Load.Name, Phase: phase, Done: passed.Seconds(), Total: long.Seconds(), Unit: "s"}
	switch phase {
	case "connecting":
		s.Done, s.Total, s.Unit = float64(r.fleet.joined.Load()), float64(len(r.fleet.sessions)), "connections"
	case phaseDrain, phaseEnd:
		s.Done, s.Total = 0, 0
	}
	if took := float64(now.at-r.seen.at) / 1e9; took > 0 {
		s.CPUCores = (now.use.cpu - r.seen.use.cpu).Seconds() / took
		s.PublishedPerS = float64(now.published-r.seen.published) / took
		s.DeliveredPerS = float64(now.delivered-r.seen.delivered) / took
	}
	s.Sending = phase == phaseMeasure && r.plan.work != holds || phase == phaseWarm
	if phase == phaseMeasure {
		record := r.rec.record()
		s.P99 = time.Duration(record.latency.quantile(.99))
	}
	r.seen = now
	r.cfg.Progress(s)
}

// Phases of a load, as progress calls them.
const (
	phaseSettle  = "letting the server settle"
	phaseWarm    = "warming up"
	phaseMeasure = "measuring"
	phaseEnd     = "waiting for the publishers"
	phaseDrain   = "waiting for the last deliveries"
)
