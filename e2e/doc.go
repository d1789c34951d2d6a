// Package e2e holds the end to end tests: the official client and server
// libraries, as published and unmodified, against the real binary, started as
// a process with a configuration file.
//
// The tests are written in Go. A page is a pusher-js client in a Node process
// (js/clients.mjs). A backend is either pusher-http-go in the test itself or
// the Node library in a process of its own (js/backend.mjs). Whatever a
// backend does is tested with both. Nothing here imports a package of the
// server. README.md says how to run the tests and how to write one.
package e2e
