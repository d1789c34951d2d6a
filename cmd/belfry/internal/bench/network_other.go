//go:build !linux

package bench

// newNetwork returns a network with a goroutine for every connection.
func newNetwork(f *fleet, _ bool) (network, error) { return newStreams(f), nil }
