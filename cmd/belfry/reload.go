package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/server"
)

// A reloader reads the configuration again while the service runs.
type reloader struct {
	source config.Source
	start  *config.Config // what the service was started with
	node   server.Node
	level  *slog.LevelVar
	log    *slog.Logger
	hangup <-chan os.Signal

	reload   bool // whether a change of the file is a reason
	reloaded prometheus.Counter
	refused  prometheus.Counter
}

// onHangup returns a channel on which SIGHUP is told, from now on: before, it
// ends the process.
func onHangup() (hangup chan os.Signal, stop func()) {
	hangup = make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// measure registers the metrics.
func (r *reloader) measure(registerer prometheus.Registerer) {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_config_reloads_total", Help: "How often the configuration was read again, by whether it was taken.",
	}, []string{"result"})
	registerer.MustRegister(reloads)
	r.reloaded, r.refused = reloads.WithLabelValues("taken"), reloads.WithLabelValues("refused")
}

// run reads the configuration again on a SIGHUP and when the file changes,
// until ctx ends.
func (r *reloader) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	changed, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		if r.start.File == "" {
			return
		}
		config.Watch(ctx, r.start.File, func() {
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	defer func() {
		cancel() // a panic must not wait for the end of the process
		<-watched
	}()
	for {
		select {
		case <-r.hangup:
			r.again("SIGHUP")
		case <-changed:
			if r.reload {
				r.again("the file has changed")
			}
		case <-ctx.Done():
			return
		}
	}
}

// again reads the configuration and makes true what can change. If anything is
// wrong with it, all stays as it is.
func (r *reloader) again(why string) {
	told := supervisor{r.log}
	told.reloading()
	defer told.ready()
	next, err := config.Load(r.source)
	if err == nil {
		err = r.node.Reconfigure(next.Server)
	}
	if err != nil {
		r.refused.Inc()
		r.explain(err)
		return
	}
	r.level.Set(next.LogLevel)
	r.reload = next.Reload
	r.reloaded.Inc()
	logWarnings(next, r.log)
	if names := r.start.NeedRestart(next); len(names) > 0 {
		r.log.Warn("these settings stay as they were until the next start", "settings", strings.Join(names, ", "))
	}
	r.log.Info("configuration reloaded", "because", why, "config", next.File, "apps", len(next.Server.Apps))
}

// explain logs every mistake of a configuration that was not taken.
func (r *reloader) explain(err error) {
	const message = "configuration not reloaded; the running one stays in use"
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		r.log.Error(message, "err", err)
	}
	for _, p := range problems {
		r.log.Error(message, "place", p.Place.String(), "setting", p.Name, "reason", p.Text)
	}
}
