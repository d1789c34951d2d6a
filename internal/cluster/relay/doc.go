// Package relay passes HTTP requests on from one node to another, over the
// connection that joins the nodes anyway, and brings the answers back as they
// are written.
//
// It knows HTTP requests and NATS. What the requests are about it does not
// know: what lives on a node is a text, the session, and each node says which
// ones it has. [Relay.Find] asks all peers; [Relay.Forward] passes a request on
// to one of them, where it is answered by a http.Handler. A request that was
// passed on has no way to be passed on again: that handler is another one than
// the one that calls Forward.
//
// # What is promised
//
// What the other node's handler writes and flushes arrives in the same order,
// without a gap, or the answer is broken off. A client that goes away ends the
// context of the request at the other node. A node that dies is silent, and
// after five seconds of that all requests to and from it are broken off.
//
// # Streams and links
//
// A request and its answer are a [stream], which lives at two nodes. All frames
// from one node to another go over a link and are numbered, and those of each
// stream once more. A gap in a stream ends it. A gap in the link is a reason to
// compare: the node that has seen it says which streams it has, the other one
// says how many frames it has sent on each, and what does not fit is ended. So
// a stream whose last frame was lost does not hang. A beat in each second shows
// the last number, and that the node lives.
//
// Each stream has a window for either direction: so many bytes may be on their
// way. A receiver that does not take them holds up its own stream only.
//
// # Locks
//
// Relay.mu guards the links, link.out what is sent over one, link.mu its streams,
// stream.mu a stream. Relay.mu is held while link.mu is taken; otherwise no two
// of them are. link.out is held while something is published. Frames of one
// kind of subject come from one goroutine, which waits for nothing else.
package relay
