// Package protocol knows the Pusher Channels protocol: the names, frames,
// error codes, signatures and numbers that servers, clients and backends have
// to agree on. Nothing in it performs I/O, keeps state or takes a lock; it
// uses nothing outside the standard library but this module's JSON scanner.
//
// Where the protocol's public documentation leaves something open, Belfry's
// decision is in docs/protocol.md, and doc comments name the section.
//
// # Bytes
//
// Signatures cover exact bytes, and events are relayed unchanged. So what
// arrives is never decoded into Go values and encoded again. Parsers hand out
// raw JSON text: read-only pieces of the text they were given. The Append
// functions copy it through.
package protocol
