package bench

import "time"

// A Result is what one load showed. Times are in the unit that a field's name
// ends with, and rates are per second of the time that was measured.
type Result struct {
	Load        string    `json:"load"`
	Interrupted bool      `json:"interrupted"` // it was stopped early, and says what there was until then
	Started     time.Time `json:"started"`
	Settings    Settings  `json:"settings"`
	WarmupS     float64   `json:"warmup_s"`
	MeasuredS   float64   `json:"measured_s"`

	Setup       Setup       `json:"setup"`
	Connections Connections `json:"connections"`

	PublishedPerS float64 `json:"published_per_s"` // events, client events or changes of members
	DeliveredPerS float64 `json:"delivered_per_s"`
	LatencyMs     Latency `json:"latency_ms"` // from the schedule to the arrival
	RequestMs     Latency `json:"request_ms"` // from the schedule to the answer of the HTTP API

	Counted  Counted   `json:"counted"`
	Problems []Problem `json:"problems"`

	Process   *Process  `json:"process"` // null without a process id
	Generator Generator `json:"generator"`
	Floor     *Floor    `json:"floor"` // null where it was not measured
}

// Setup is what it took to open and subscribe the connections.
type Setup struct {
	Seconds   float64 `json:"seconds"`
	PerS      float64 `json:"connections_per_s"`
	ConnectMs Latency `json:"connect_ms"`   // from the schedule to pusher:connection_established
	JoinMs    Latency `json:"subscribe_ms"` // from the schedule to the answer to the last subscription
}

// Connections counts what became of the connections.
type Connections struct {
	Opened     int64 `json:"opened"`
	Subscribed int64 `json:"subscribed"`
	Failed     int64 `json:"failed"`      // not subscribed
	Closed     int64 `json:"closed"`      // by the service, later
	ClosedSlow int64 `json:"closed_slow"` // of those, connections that never read
}

// Latency is a distribution.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

func newLatency(h *histogram) Latency {
	ms := func(ns int64) float64 { return round(float64(ns) / 1e6) }
	return Latency{
		Count: h.total,
		Mean:  round(h.mean() / 1e6),
		P50:   ms(h.quantile(.5)),
		P90:   ms(h.quantile(.9)),
		P99:   ms(h.quantile(.99)),
		P999:  ms(h.quantile(.999)),
		Max:   ms(h.high),
	}
}

// Counted is the account of the whole run, warm-up included. It is exact: every
// event has a number, and every connection knows which it got.
type Counted struct {
	Published   int64  `json:"published"`   // accepted by the service
	Refused     int64  `json:"refused"`     // not accepted, or without an answer
	Unsent      int64  `json:"unsent"`      // in the schedule, but not sent in time: the load was not reached
	Delivered   int64  `json:"delivered"`   // events that arrived
	Expected    uint64 `json:"expected"`    // deliveries of what was accepted, to connections that read
	Lost        uint64 `json:"lost"`        // of those, not arrived
	Unconfirmed uint64 `json:"unconfirmed"` // arrived though not accepted
	Repeated    uint64 `json:"repeated"`    // arrived again
	Disordered  uint64 `json:"disordered"`  // arrived after a later one of the same publisher and channel
	Stray       uint64 `json:"stray"`       // arrived where they should not
}

// Process is what the server used while it was measured.
type Process struct {
	PID             int     `json:"pid"`
	CPUCores        float64 `json:"cpu_cores"`
	CPUPerDelivery  float64 `json:"cpu_us_per_delivery"`   // 0: no deliveries
	CPUPerPublish   float64 `json:"cpu_us_per_publish"`    // 0: nothing was published
	CPUPerConnected float64 `json:"cpu_us_per_connection"` // to connect and subscribe
	BeforeMB        float64 `json:"resident_before_mb"`
	ConnectedMB     float64 `json:"resident_connected_mb"`
	EndMB           float64 `json:"resident_end_mb"`
	PeakMB          float64 `json:"resident_peak_mb"`
	PerConnectionKB float64 `json:"resident_kb_per_connection"` // over the state before, at the end for idle, else when connected
}

// Generator is what putting the load took. Near its number of processors it is
// itself the limit, and the results are those of a smaller load.
type Generator struct {
	CPUCores   float64 `json:"cpu_cores"`
	Processors int     `json:"processors"`
}

// Floor is one bare write of one frame, measured before and after the load.
type Floor struct {
	Sockets         int     `json:"sockets"`
	Bytes           int     `json:"bytes"`
	BeforeUs        float64 `json:"before_us"`
	AfterUs         float64 `json:"after_us"` // 0: not measured
	WriteUs         float64 `json:"write_us"` // the mean of both
	DeliveryRatio   float64 `json:"delivery_ratio"`
	PublishRatio    float64 `json:"publish_ratio"`
	ConnectionRatio float64 `json:"connection_ratio"`
}

// round keeps three decimals.
func round(f float64) float64 { return float64(int64(f*1000+.5)) / 1000 }

// per divides, and is zero where there is nothing to divide by.
func per(total, n float64) float64 {
	if n <= 0 {
		return 0
	}
	return round(total / n)
}
