//go:build race

package conformance

// raceEnabled makes the suite build the server with the race detector too.
const raceEnabled = true
