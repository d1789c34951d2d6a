// Package natsroster decides by the order of one log in JetStream that all
// nodes write to and read. Two nodes that have read the same have decided the
// same, and exactly one of them is to tell. DESIGN.md says why it is as it is.
//
// A ledger is what the log says up to a position, and changes by what is read
// alone. A participant is what one node makes of it: what it has to write, to whom it
// succeeds, what its host has to be told. Neither has I/O or a clock. A Roster
// is a participant with a journal, the stream, and three goroutines: one reads, one
// writes, and one cuts the log off behind a snapshot of the ledger.
//
// # Locks
//
// Roster.calling is held during calls to the host, and taken before Roster.mu,
// which guards the participant and is held during neither calls nor I/O.
package natsroster
