// Package engine is what durable state and durable queues stand on: a NATS
// server with JetStream inside the process, or one elsewhere.
//
// The embedded server has no listener of any kind: whoever is in the process
// reaches it over a pipe in memory, and nobody else reaches it at all. With a
// data directory, everything that JetStream acknowledges was written through
// to the disk first, so that neither a crash nor a power cut takes it back;
// without one it is in memory and ends with the process. Two processes can not
// use one directory.
//
// A disk that is full, or nearly, is a state and not an accident: see
// [Engine.Writable]. If the server could not write in spite of that, the
// engine starts it again once there is room. Those who hold a JetStream or a
// bucket keep it: their connection finds the new server.
//
// # Locks
//
// Engine.mu guards which server is running, and is not held during calls to
// JetStream.
package engine
