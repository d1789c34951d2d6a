package serving

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

// A Reloader reads the configuration again while the service runs.
type Reloader struct {
	Source config.Source
	Start  *config.Config // what the service was started with
	Node   server.Node
	Level  *slog.LevelVar
	Log    *slog.Logger
	Hangup <-chan os.Signal

	reload   bool // whether a change of the file is a reason
	reloaded prometheus.Counter
	refused  prometheus.Counter
}

// OnHangup returns a channel on which SIGHUP is told, from now on: before, it
// ends the process.
func OnHangup() (hangup chan os.Signal, stop func()) {
	hangup = make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// Measure registers the metrics.
func (r *Reloader) Measure(registerer prometheus.Registerer) {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_config_reloads_total", Help: "How often the configuration was read again, by whether it was taken.",
	}, []string{"result"})
	registerer.MustRegister(reloads)
	r.reloaded, r.refused = reloads.WithLabelValues("taken"), reloads.WithLabelValues("refused")
}

// Run reads the configuration again on a SIGHUP and when the file changes,
// until ctx ends.
func (r *Reloader) Run(ctx context.Context) {
	r.reload = r.Start.Reload
	ctx, cancel := context.WithCancel(ctx)
	changed, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		if r.Start.File == "" {
			return
		}
		config.Watch(ctx, r.Start.File, func() {
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
		case <-r.Hangup:
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
func (r *Reloader) again(why string) {
	told := Supervisor{r.Log}
	told.reloading()
	defer told.ready()
	next, err := config.Load(r.Source)
	if err == nil {
		err = r.Node.Reconfigure(next.Server)
	}
	if err != nil {
		r.refused.Inc()
		r.explain(err)
		return
	}
	r.Level.Set(next.LogLevel)
	r.reload = next.Reload
	r.reloaded.Inc()
	LogWarnings(next, r.Log)
	if names := r.Start.NeedRestart(next); len(names) > 0 {
		r.Log.Warn("these settings stay as they were until the next start", "settings", strings.Join(names, ", "))
	}
	r.Log.Info("configuration reloaded", "because", why, "config", next.File, "apps", len(next.Server.Apps))
}

// explain logs every mistake of a configuration that was not taken.
func (r *Reloader) explain(err error) {
	const message = "configuration not reloaded; the running one stays in use"
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		r.Log.Error(message, "err", err)
	}
	for _, p := range problems {
		r.Log.Error(message, "place", p.Place.String(), "setting", p.Name, "reason", p.Text)
	}
}

// LogWarnings logs what is doubtful in a configuration.
func LogWarnings(cfg *config.Config, log *slog.Logger) {
	for _, warning := range cfg.Warnings {
		log.Warn("doubtful configuration", "place", warning.Place.String(), "setting", warning.Name, "reason", warning.Text)
	}
}
