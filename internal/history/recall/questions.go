package recall

import (
	"bytes"
	"context"
	"sync"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// maxQuestions is how many questions of peers wait; more get no answer.
const maxQuestions = 1 << 16

// Questions are those of peers that wait for an answer.
type Questions struct {
	mu    sync.Mutex
	wake  wakeup.Signal
	queue []queued
}

type queued struct {
	from    node.ID
	message broker.Message
}

// NewQuestions returns an empty queue.
func NewQuestions() *Questions { return &Questions{wake: wakeup.New()} }

// Add queues a question of a peer. If too many wait, it gets no answer. M is not
// kept.
func (q *Questions) Add(from node.ID, m *broker.Message) {
	it := queued{from, *m}
	it.message.Text = bytes.Clone(m.Text)
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) < maxQuestions {
		q.queue = append(q.queue, it)
	}
	q.wake.Set()
}

// A Question is what a peer asks for: what is kept of a publisher's events on a
// channel, behind a number.
type Question struct {
	From         node.ID
	App, Channel string
	Publisher    node.ID
	After        uint64
	Number       uint64
}

// Serve calls answer with each question, one at a time, until ctx ends. Self is
// whose own events are meant where a question names no publisher.
func (q *Questions) Serve(ctx context.Context, self node.ID, answer func(Question)) {
	for {
		select {
		case <-q.wake:
			for _, asked := range q.Take(self) {
				answer(asked)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Take returns the questions that wait, which then wait no more.
func (q *Questions) Take(self node.ID) (all []Question) {
	q.mu.Lock()
	queue := q.queue
	q.queue = nil
	q.mu.Unlock()
	for i := range queue {
		all = append(all, queue[i].question(self))
	}
	return all
}

func (it *queued) question(self node.ID) Question {
	m := &it.message
	asked := Question{From: it.from, App: m.App, Channel: m.Name, Publisher: node.ID(m.User), Number: m.Count}
	if asked.Publisher == "" {
		asked.Publisher = self
	}
	from, _ := history.ParsePosition(string(m.Text))
	asked.After, _ = from.Of(asked.Publisher)
	return asked
}
