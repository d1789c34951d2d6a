// Package relay passes HTTP requests on from one node to another, over the
// links that join the nodes anyway, and brings the answers back as they are
// written.
//
// It knows HTTP requests and [broker.Link]s. What the requests are about it does
// not know: what lives on a node is a text, the session, and each node says
// which ones it has. [Relay.Find] asks all peers; [Relay.Forward] passes a
// request on to one of them, where it is answered by a http.Handler. A request
// that was passed on has no way to be passed on again: that handler is another
// one than the one that calls Forward. [Relay.Ask] is for the nodes' own
// questions, which another handler answers.
//
// # What is promised
//
// What the other node's handler writes and flushes arrives in the same order,
// without a gap, or the answer is broken off. A client that goes away ends the
// context of the request at the other node. Packets that are lost on the way
// are sent again by the links. When a peer is suspected, or a link has lost
// something for good, all requests to and from that peer are broken off.
//
// # Connections
//
// Requests travel as HTTP/2 of net/http, which knows streams, windows and
// canceling. Here is only what it stands on: a [conn] is a stream of bytes over a
// link. Each node opens one to each peer to which it has something to pass on.
//
// A link is shared with the messages of the hub. So a connection has at most a
// window of bytes on its way, in small pieces, and waits while the link has no
// room. Questions who has a session are messages of their own, since most of
// them are answered by no.
//
// # Locks
//
// Relay.mu guards the peers, peer.mu what a peer has open, conn.mu a connection,
// finds.mu the open questions. None is held while another is taken, but conn.mu
// while something is sent over the link. The broker's goroutine waits for
// nothing else.
package relay
