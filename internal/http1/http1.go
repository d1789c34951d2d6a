// Package http1 answers HTTP/1.1 requests on the loops that own the sockets:
// those that are as plain as what clients and backends send all day. All else
// is left to net/http, with the bytes that were read so far.
//
// A connection starts on a loop. A [Parser] reads the head of its first request
// where it was received. A request is plain if there is one way to read it. It
// says where it ends, and asks for nothing that takes more than an answer. What
// is not plain is not judged here, and not answered either: net/http says what
// is wrong with it. So there is one truth about requests, and the tests compare
// the two.
//
// Which requests loops answer is up to [Site.Find], and how up to a [Handler],
// which never waits on a loop. What has to wait goes on in a goroutine, while the
// connection is not read. A handler can also take the connection over, as
// WebSocket does ([Response.Hijack]).
//
// A connection counts among those of package accept until it has shown who it
// is, wherever it is served. What is held of an unfinished request is counted
// there too.
//
// # Locks
//
// The list of connections for net/http has one lock, a leaf. A connection
// belongs to its loop.
package http1
