package queuetest

import (
	"maps"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// Left is how many records and dead letters there are.
func (m *Memory) Left() (records, letters int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records), len(m.letters)
}

// Events is how many events are in all records, or -1 if one can not be read.
func (m *Memory) Events() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.records {
		r, err := queue.DecodeRecord(s.text)
		if err != nil {
			return -1
		}
		n += len(r.Events)
	}
	return n
}

// Claims returns who has taken over whose queue.
func (m *Memory) Claims() map[queue.Owner]queue.Claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.claims)
}

// SetClaim claims a queue, whoever has it.
func (m *Memory) SetClaim(dead queue.Owner, c queue.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims[dead] = c
}

// Had reports whether an event was stored for an endpoint at any time.
func (m *Memory) Had(to queue.Address, id queue.EventID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ever[eventAt{to, id}]
}

// Refuse makes publishing fail, or not any more.
func (m *Memory) Refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

// Break makes everything fail but publishing, or not any more.
func (m *Memory) Break(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// LoseAnswers stores this many of the next records, and says that it failed.
func (m *Memory) LoseAnswers(records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unheard = records
}

// HoldAnswers makes the answers to what is published from now on wait until the
// channel is closed. Nil ends that for what follows.
func (m *Memory) HoldAnswers(until chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold = until
}

// Lose is a store that is lost and made again, empty: its numbers begin anew.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream++
	m.seq = 0
	clear(m.records)
	clear(m.ids)
}
