//go:build !race

package service

// race reports whether the race detector is in the tests.
const race = false
