package accept

// Descriptors is how many files and connections the process may have open.
type Descriptors struct{ Max int }

// kept are those that clients do not get: half of them are for telling clients
// that there are no more, the rest for operators, the engine and other nodes.
func (d Descriptors) kept() int { return min(max(d.Max/8, 16), 1024) }

// Clients is how many there are before clients are refused.
func (d Descriptors) Clients() int { return d.Max - d.kept() }

// pending is how many of them connections may have that owe a request.
func (d Descriptors) pending(reserved bool) int {
	if reserved {
		return max(1, d.kept()/4)
	}
	return max(1, d.Clients()/2)
}

// room says how many descriptors are left.
type room int

const (
	ample  room = iota
	scarce      // clients are refused
	none        // so scarce that they are not told
)

// roomAt returns how much room there is if that descriptor is the next one, so
// that all below it are taken. A negative one is not known.
func roomAt(next int) room {
	d, ok := Limit()
	switch {
	case !ok || next < d.Clients():
		return ample
	case next < d.Max-d.kept()/2:
		return scarce
	}
	return none
}
