package bench

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// load does the work, and fills in what it showed.
func (r *run) load(ctx context.Context) error {
	alive, stop := context.WithCancel(context.Background())
	var pings sync.WaitGroup
	pings.Go(func() { r.fleet.keepAlive(alive) })
	defer pings.Wait()
	defer stop()
	switch r.plan.work {
	case dials:
		r.wait(ctx, phaseSettle, cmp.Or(r.cfg.settle, settleTime), nil)
		return r.connected()
	case holds:
		return r.hold(ctx)
	}
	r.wait(ctx, phaseSettle, cmp.Or(r.cfg.settle, settleTime), nil)
	if err := r.connected(); err != nil {
		return err
	}
	return r.send(ctx)
}

// connected notes what the server uses when all connections are there.
func (r *run) connected() error {
	now, err := r.process.use()
	if err != nil || r.process.pid == 0 {
		return err
	}
	n := float64(r.fleet.joined.Load())
	r.result.Process = &Process{
		PID:             r.process.pid,
		BeforeMB:        megabytes(r.start.resident),
		ConnectedMB:     megabytes(now.resident),
		EndMB:           megabytes(now.resident),
		CPUPerConnected: per(us(now.cpu-r.start.cpu), n),
		PerConnectionKB: per(float64(now.resident-r.start.resident)/1000, n),
	}
	if r.plan.work == dials {
		r.result.Process.CPUCores = per((now.cpu - r.start.cpu).Seconds(), r.result.MeasuredS)
	}
	return nil
}

func megabytes(n int64) float64 { return round(float64(n) / 1e6) }

func us(d time.Duration) float64 { return float64(d) / 1e3 }

// hold leaves the connections alone.
func (r *run) hold(ctx context.Context) error {
	r.wait(ctx, phaseSettle, cmp.Or(r.cfg.settle, settleTime), nil)
	if err := r.connected(); err != nil {
		return err
	}
	before := r.glimpse()
	r.wait(ctx, phaseMeasure, r.cfg.Settings.Duration, nil)
	after := r.glimpse()
	if err := r.measured(before, after); err != nil {
		return err
	}
	if p := r.result.Process; p != nil {
		p.PerConnectionKB = per(float64(after.use.resident-r.start.resident)/1000, float64(r.fleet.joined.Load()))
	}
	return nil
}

// send lets publishers work by the schedule.
func (r *run) send(ctx context.Context) error {
	settings := r.cfg.Settings
	start := r.clock.now()
	from := start + int64(settings.Warmup)
	to := from + int64(settings.Duration)
	rate := settings.Rate
	if settings.Batch > 1 {
		rate /= float64(settings.Batch)
	}
	s := &sending{
		endpoint: r.endpoint, plan: r.plan, fleet: r.fleet, rec: r.rec, gate: r.gate, tally: r.tally,
		schedule: &schedule{clock: r.clock, start: start, end: to, rate: rate},
		senders:  r.plan.senders(),
	}
	r.rec.measure(from, to)
	r.sending = s

	late := time.Duration(to-start) + overtime
	soft, cancel := context.WithTimeout(ctx, late)
	defer cancel()
	hard, give := context.WithTimeout(context.WithoutCancel(ctx), late+requestTimeout)
	defer give()
	stopGiving := context.AfterFunc(ctx, func() { time.AfterFunc(2*time.Second, give) })
	defer stopGiving()
	publishers := make([]*publisher, settings.Inflight)
	var working sync.WaitGroup
	for i := range publishers {
		publishers[i] = newPublisher(s, i)
		working.Go(func() { publishers[i].run(soft, hard) })
	}
	over := make(chan struct{})
	go func() { working.Wait(); close(over) }()

	r.wait(ctx, phaseWarm, time.Duration(from-r.clock.now()), nil)
	before := r.glimpse()
	r.wait(ctx, phaseMeasure, time.Duration(to-r.clock.now()), nil)
	after := r.glimpse()
	r.rec.to.Store(min(to, after.at)) // earlier, if it was interrupted
	r.wait(context.WithoutCancel(ctx), phaseEnd, late+requestTimeout, func() bool { return closed(over) })
	<-over
	for _, p := range publishers {
		r.requests.add(&p.requests)
	}
	if after.at <= from {
		return ErrInterrupted
	}
	r.drain()
	r.result.Counted.Unsent = r.unsent(min(to, after.at))
	return r.measured(before, after)
}

// unsent is how many events the schedule had up to then that were not sent.
func (r *run) unsent(until int64) int64 {
	turns := r.sending.schedule.due(until) - r.sending.attempted.Load()
	return max(turns, 0) * int64(max(1, r.cfg.Settings.Batch))
}

// drain waits for the deliveries that are on their way.
func (r *run) drain() {
	last, arrived := r.clock.now(), r.gate.arrived.Load()
	r.wait(context.Background(), phaseDrain, drainTime, func() bool {
		if now := r.gate.arrived.Load(); now != arrived {
			last, arrived = r.clock.now(), now
		}
		return r.gate.outstanding() <= 0 || r.clock.now()-last > int64(cmp.Or(r.cfg.drainPause, drainPause))
	})
}

// glimpse looks at what has happened until now.
func (r *run) glimpse() glimpse {
	g := glimpse{at: r.clock.now(), delivered: r.rec.delivered.Load(), own: ownUse()}
	if r.sending != nil {
		g.published = r.sending.published.Load()
	}
	g.use, _ = r.process.use() // a process that has ended is noticed when its use is asked for at the end
	return g
}

// measured fills in what was measured between two glimpses.
func (r *run) measured(before, after glimpse) error {
	took := float64(after.at-before.at) / 1e9
	if took <= 0 {
		return ErrInterrupted
	}
	if _, err := r.process.use(); err != nil {
		return fmt.Errorf("%w any more; it ended under the load", err)
	}
	published, delivered := float64(after.published-before.published), float64(after.delivered-before.delivered)
	r.result.MeasuredS = round(took)
	r.result.WarmupS = round(r.cfg.Settings.Warmup.Seconds())
	r.result.PublishedPerS = per(published, took)
	r.result.DeliveredPerS = per(delivered, took)
	r.result.Generator.CPUCores = per((after.own - before.own).Seconds(), took)
	p := r.result.Process
	if p == nil {
		return nil
	}
	cpu := after.use.cpu - before.use.cpu
	p.CPUCores = per(cpu.Seconds(), took)
	p.CPUPerDelivery = per(us(cpu), delivered)
	p.CPUPerPublish = per(us(cpu), published)
	p.EndMB = megabytes(after.use.resident)
	return nil
}

// finish fills in what is known while the connections are still there.
func (r *run) finish() {
	r.result.Connections = Connections{
		Opened:     r.fleet.opened.Load(),
		Subscribed: r.fleet.joined.Load(),
		Failed:     r.fleet.failed.Load(),
		Closed:     r.fleet.closed.Load(),
		ClosedSlow: r.fleet.cutOff.Load(),
	}
	if p := r.result.Process; p != nil {
		p.PeakMB = max(megabytes(r.peak), p.EndMB)
	}
}

// settle does the accounts, when nobody sends or reads any more.
func (r *run) settle() {
	record := r.rec.record()
	c := &r.result.Counted
	var sum balance
	for _, s := range r.fleet.sessions {
		sum.add(s.settle(r.tally))
	}
	c.Delivered, c.Expected, c.Lost, c.Unconfirmed = r.rec.delivered.Load(), sum.expected, sum.lost, sum.unconfirmed
	c.Repeated, c.Disordered, c.Stray = record.repeated, record.late, record.stray
	if r.sending != nil {
		c.Published, c.Refused = r.sending.published.Load(), r.sending.refused.Load()
	}
	r.result.LatencyMs = newLatency(&record.latency)
	r.result.RequestMs = newLatency(&r.requests)
	r.result.Setup.ConnectMs = newLatency(&record.greeting)
	r.result.Setup.JoinMs = newLatency(&record.joining)
	r.result.Problems = r.rec.problems.list()
}

// measureFloor measures the floor under the load, if there is one.
func (r *run) measureFloor(ctx context.Context, phase string) (time.Duration, error) {
	if r.floor.sockets == 0 || ctx.Err() != nil {
		return 0, nil
	}
	if r.cfg.Progress != nil {
		r.cfg.Progress(Status{Load: r.cfg.Load.Name, Phase: phase})
	}
	return r.floor.measure(ctx)
}

// compare gives the results as ratios to the floor.
func (r *run) compare(before, after time.Duration) {
	if before == 0 {
		return
	}
	f := &Floor{Sockets: r.floor.sockets, Bytes: r.floor.bytes, BeforeUs: round(us(before)), AfterUs: round(us(after))}
	f.WriteUs = f.BeforeUs
	if after > 0 {
		f.WriteUs = round((f.BeforeUs + f.AfterUs) / 2)
	}
	if p := r.result.Process; p != nil {
		f.DeliveryRatio = per(p.CPUPerDelivery, f.WriteUs)
		f.PublishRatio = per(p.CPUPerPublish, f.WriteUs)
		f.ConnectionRatio = per(p.CPUPerConnected, f.WriteUs)
	}
	r.result.Floor = f
}
