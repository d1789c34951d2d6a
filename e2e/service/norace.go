//go:build !race

package service

// Race reports whether the race detector is in the tests.
const Race = false
