// Package bench puts loads on a service that speaks the Pusher Channels
// protocol, and measures what they cost. It counts deliveries a second,
// latency against the schedule, and the server's processor time and resident
// memory. It says exactly which events were lost, repeated or out of order.
//
// It knows the protocol as a client and a backend do, and nothing of the
// server but its address and, for what it spends, its process id. [Run] is one
// load, from the first connection to the [Result]; a [Report] is the results of
// one or more.
//
// # How it works
//
// A run has a plan: which connection subscribes to which channels. Connections
// are [session] values, which turn bytes that arrive into records and answers
// and do no I/O. A network moves the bytes: with epoll where it can, with a
// goroutine per connection elsewhere. Publishers take turns from a schedule
// that is known beforehand. Every event carries its channel, its stream, its
// number in the stream, and the time at which the schedule wanted it sent. A
// receiver needs nothing else to say what is missing and how late it is.
//
// # Locks
//
// A session's reader holds the lock of its shard of the recorder while it
// takes in what arrived. A sender holds session.mu while it numbers and writes,
// and the lock of the connection under it. No other lock is held together
// with one of these.
package bench
