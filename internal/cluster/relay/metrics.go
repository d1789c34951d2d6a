package relay

import "github.com/prometheus/client_golang/prometheus"

// An answer is what came of a question to the peers.
type answer string

const (
	answerFound   answer = "found"   // a peer has the session
	answerNone    answer = "none"    // all peers have said that they do not have it
	answerSilence answer = "silence" // not all have said anything in time
	answerRefused answer = "refused" // there were too many questions, and this one was not asked
)

// metrics are the requests that are passed on, and what became of them.
type metrics struct {
	questions *prometheus.CounterVec
	refused   prometheus.Counter
	broken    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, r *Relay) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_relay_" + name, Help: help})
	}
	m := &metrics{
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_relay_questions_total", Help: "Questions to the other nodes which of them has a session, by what came of them.",
		}, []string{"answer"}),
		refused: counter("refused_total", "Requests that were not passed on or not answered because there were too many."),
		broken:  counter("broken_total", "Requests that were passed on and broken off before the whole answer had come."),
	}
	if reg != nil {
		reg.MustRegister(m.questions, m.refused, m.broken,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "belfry_relay_passed_on", Help: "Requests that are passed on to other nodes at this moment.",
			}, func() float64 { return float64(r.passing.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "belfry_relay_answering", Help: "Requests of other nodes that are answered at this moment.",
			}, func() float64 { return float64(r.serving.Load()) }))
	}
	return m
}
