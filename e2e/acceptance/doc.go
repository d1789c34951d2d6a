// Package acceptance runs the integration suite that pusher-js ships in its
// package, unmodified, against the real binary. Nothing of that suite is kept
// here: it is copied from the installed package into build/, which is not
// tracked, and its hard-coded addresses are led to the binary by a module
// that is preloaded into its processes.
package acceptance
