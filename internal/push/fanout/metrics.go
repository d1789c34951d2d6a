package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/push/lane"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// metrics count what becomes of publishes and sends. No label comes from outside.
type metrics struct {
	d                  *Dispatcher
	accepted, finished prometheus.Counter
	sends              *prometheus.CounterVec
	jobs, held         *prometheus.Desc
	active, oldest     *prometheus.Desc
}

// deferred is the verdict of what was not tried, because a provider is left alone.
const deferred notification.Verdict = "deferred"

var (
	platforms = []notification.Platform{notification.APNs, notification.GCM, notification.FCM, notification.Web}
	verdicts  = []notification.Verdict{
		notification.Accepted, notification.Retry, notification.DeviceGone, notification.DeviceMismatch,
		notification.DeviceRefused, notification.BadPayload, deferred,
	}
)

func newMetrics(d *Dispatcher, reg prometheus.Registerer) *metrics {
	m := &metrics{
		d: d,
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_push_publishes_total", Help: "Publishes of push notifications that were accepted.",
		}),
		finished: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_push_publishes_finished_total", Help: "Publishes of push notifications that this node has finished.",
		}),
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_push_sends_total", Help: "Push notifications for one device, by what became of them.",
		}, []string{"platform", "verdict"}),
		jobs:   prometheus.NewDesc("belfry_push_lane_jobs", "Sends that wait for a provider, or are under way to it.", []string{"platform", "state"}, nil),
		held:   prometheus.NewDesc("belfry_push_lanes_held", "Ways to a provider that are held back: it refuses the credentials, or is left alone.", []string{"platform", "reason"}, nil),
		active: prometheus.NewDesc("belfry_push_publishes_active", "Publishes that this node works on.", nil, nil),
		oldest: prometheus.NewDesc("belfry_push_oldest_publish_seconds", "Age of the oldest publish that this node works on.", nil, nil),
	}
	for _, p := range platforms {
		for _, v := range verdicts {
			m.sends.WithLabelValues(string(p), string(v))
		}
	}
	if reg != nil {
		reg.MustRegister(m.accepted, m.finished, m.sends, m)
	}
	return m
}

// sent counts one result.
func (m *metrics) sent(p notification.Platform, got lane.Result) {
	v := got.Verdict
	if !got.Until.IsZero() {
		v = deferred
	}
	m.sends.WithLabelValues(string(p), string(v)).Inc()
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.jobs, m.held, m.active, m.oldest} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	depths := m.d.lanes.Depths()
	for _, p := range []notification.Platform{notification.APNs, notification.FCM, notification.Web} {
		d := depths[p]
		gauge(m.jobs, float64(d.Waiting), string(p), "waiting")
		gauge(m.jobs, float64(d.UnderWay), string(p), "under_way")
		gauge(m.held, float64(d.Refused), string(p), "refused")
		gauge(m.held, float64(d.Paused), string(p), "paused")
	}
	m.d.mu.Lock()
	active, oldest := len(m.d.begun), time.Duration(0)
	for _, accepted := range m.d.begun {
		oldest = max(oldest, time.Since(accepted))
	}
	m.d.mu.Unlock()
	gauge(m.active, float64(active))
	gauge(m.oldest, oldest.Seconds())
}
