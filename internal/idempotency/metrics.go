package idempotency

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// A result is what became of a request with a key, as a label.
type result string

const (
	first        result = "first"
	repeated     result = "repeated"
	otherRequest result = "other_request"
	inProgress   result = "in_progress"
	unknown      result = "unfinished"
	unavailable  result = "unavailable"
	full         result = "full"
)

type metrics struct {
	requests               *prometheus.CounterVec
	unanswered, unreleased prometheus.Counter
}

func newMetrics(s *Store, r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_idempotency_requests_total", Help: "Requests and events of batches with an idempotency key, by what it said about them.",
		}, []string{"result"}),
		unanswered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_idempotency_unanswered_total", Help: "Requests that were carried out and whose answer could not be written. Repeats are refused.",
		}),
		unreleased: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_idempotency_unreleased_total", Help: "Keys of requests that were not carried out and could not be given free. Repeats are refused.",
		}),
	}
	for _, r := range []result{first, repeated, otherRequest, inProgress, unknown, unavailable, full} {
		m.requests.WithLabelValues(string(r))
	}
	if r != nil {
		r.MustRegister(m.requests, m.unanswered, m.unreleased, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_idempotency_releasing", Help: "Keys that wait to be given free.",
		}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(len(s.given))
		}))
	}
	return m
}

// claimed counts what came of an attempt to claim a key.
func (m *metrics) claimed(c *Claim, err error) {
	r := unavailable
	switch {
	case err == nil && c != nil:
		r = first
	case err == nil:
		r = repeated
	case errors.Is(err, ErrOtherRequest):
		r = otherRequest
	case errors.Is(err, ErrInProgress):
		r = inProgress
	case errors.Is(err, ErrUnfinished):
		r = unknown
	case errors.Is(err, ErrFull):
		r = full
	}
	m.requests.WithLabelValues(string(r)).Inc()
}
