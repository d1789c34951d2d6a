// Package conformance holds a black-box test suite for servers that speak the
// Pusher Channels protocol. It knows nothing of how Belfry is made: it opens
// sockets, sends HTTP requests and looks at what comes back.
//
// Every numbered statement of the two checklists, WebSocket and HTTP API, is
// a subtest named by its number: TestWebSocket/056_… and TestHTTP/031_…. A
// statement that cannot be tested from outside is listed with the name of the
// test that covers it (see testedInside). TestHostile holds what hostile or
// broken peers do beyond the checklists.
//
// README.md says how to run the suite against Belfry and against any other
// server.
package conformance
