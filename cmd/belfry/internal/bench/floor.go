package bench

import "time"

// A floor is a measurement of what this machine's kernel takes for one write of
// one frame to one TCP connection on loopback, in processor time of the
// writer. No server delivers a frame on its own for less; only by writing
// several at once.
type floor struct {
	sockets  int
	bytes    int     // of a frame
	rate     float64 // writes a second; if it is more than can be written, as many as can
	duration time.Duration
	pid      int // whose processors the writer runs on; 0: any
}

const (
	// floorSockets is how many connections a floor has at most.
	floorSockets = 5000
	// floorRate is how many writes a second a floor makes for a load that does
	// not say how many deliveries it makes.
	floorRate = 100_000
)

// floorOf is the floor under a load: as many sockets, frames as large, and as
// many writes a second. Its zero value is a load without one.
func floorOf(p *plan, cfg Config) floor {
	if cfg.Floor <= 0 || p.work == holds {
		return floor{}
	}
	f := floor{sockets: p.settings.Connections, bytes: p.frameSize(), duration: cfg.Floor, pid: cfg.PID, rate: floorRate}
	if f.sockets == 0 || p.work == dials {
		f.sockets = 1000
	}
	f.sockets = min(f.sockets, floorSockets)
	if perEvent := p.perEvent(); p.settings.Rate > 0 && perEvent > 0 {
		f.rate = min(p.settings.Rate*perEvent, floorRate)
	}
	return f
}
