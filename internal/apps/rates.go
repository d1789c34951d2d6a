package apps

// A Rate is something that the backends of an app may do so often a second, on
// all nodes together. Nodes tell each other what they have admitted, in the
// order of these numbers, so another rate is another wire version.
type Rate int

// The rates.
const (
	// BackendEvents are triggered; one counts once for each of its channels.
	BackendEvents Rate = iota
	// ReadRequests ask about channels and users.
	ReadRequests

	// Rates is how many there are.
	Rates
)

// rates are the limits, each of which is a setting.
var rates = [Rates]func(*Limits) *int{
	BackendEvents: func(l *Limits) *int { return &l.BackendEventsPerSecond },
	ReadRequests:  func(l *Limits) *int { return &l.ReadRequestsPerSecond },
}

// PerSecond is how often a second the app may do it, or zero for as often as it
// likes.
func (l *Limits) PerSecond(r Rate) int { return max(*rates[r](l), 0) }
