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

// roomAt returns how much room there is if a connection has that descriptor,
// and the next one is that, so that all below it are taken. Negative ones are
// not known.
func roomAt(own, next int) room {
	d, ok := Limit()
	at := max(own, next)
	switch {
	case !ok || at < d.Clients():
		return ample
	case at < d.Max-d.kept()/2:
		return scarce
	}
	return none
}

// KeptBack reports whether a descriptor is one of those that clients do not
// get, because all others were taken when it was opened. Whoever duplicates
// that of a connection asks again: many may have been admitted to the last one.
func KeptBack(descriptor int) bool { return roomAt(descriptor, descriptor) != ample }
