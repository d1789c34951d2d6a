// Package acceptance runs the integration suite that pusher-js ships in its
// package, unmodified, against the real binary. Nothing of that suite is kept
// here: it is copied from the installed package into build/, which is not
// tracked. A module that is preloaded into its processes leads its hard-coded
// addresses to the binary.
package acceptance
