package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// A sending is everything that publishers of a run share.
type sending struct {
	endpoint *endpoint
	plan     *plan
	fleet    *fleet
	rec      *recorder
	gate     *gate
	tally    *tally
	schedule *schedule
	senders  []int // connections that send; none for triggers

	attempted atomic.Int64 // turns
	published atomic.Int64 // events that were accepted
	refused   atomic.Int64 // events that were not, or perhaps not
}

// A publisher takes turns from the schedule and sends. It is used by one
// goroutine.
type publisher struct {
	*sending
	stream   int
	backend  *backend
	requests histogram // from the schedule to the answer
	body     []byte
	turn     []stamp // the events of one request
}

func newPublisher(s *sending, stream int) *publisher {
	return &publisher{sending: s, stream: stream, backend: newBackend(s.endpoint)}
}

// run sends until the schedule is over or ctx ends; what is under way then is
// given up when hard ends.
func (p *publisher) run(ctx, hard context.Context) {
	defer p.backend.close()
	for {
		if p.schedule.rate == 0 && !p.gate.wait(ctx) {
			return
		}
		t, ok := p.schedule.next(ctx)
		if !ok {
			return
		}
		p.attempted.Add(1)
		if err := p.take(hard, t); err != nil {
			p.rec.problems.add(err.Error())
			if _, answered := errors.AsType[*statusError](err); !answered {
				p.rec.clock.sleep(ctx, p.rec.clock.now()+int64(errorPause))
			}
		}
	}
}

// errorPause keeps a closed load from doing nothing but asking where nobody
// answers.
const errorPause = 10 * time.Millisecond

// take does what a turn is for.
func (p *publisher) take(ctx context.Context, t turn) error {
	switch p.plan.work {
	case chats:
		return p.chat(t)
	case churns:
		return p.churn(t)
	}
	return p.trigger(ctx, t)
}

// trigger sends one request with as many events as a batch has.
func (p *publisher) trigger(ctx context.Context, t turn) error {
	batch := p.plan.settings.Batch
	p.turn = p.turn[:0]
	expected := 0
	for i := range batch {
		channel := int((t.number*int64(batch) + int64(i)) % int64(len(p.plan.names)))
		p.turn = append(p.turn, stamp{channel, p.stream, p.tally.next(channel, p.stream), t.intended})
		expected += p.plan.expected(channel)
	}
	path := "/events"
	if batch > 1 {
		path = "/batch_events"
	}
	p.gate.expected.Add(int64(expected))
	err := p.backend.post(ctx, path, p.appendBody(p.body[:0]))
	if now := p.rec.clock.now(); t.intended >= p.rec.from.Load() && t.intended < p.rec.to.Load() {
		p.requests.record(now - t.intended)
	}
	if err == nil {
		p.published.Add(int64(batch))
		return nil
	}
	p.gate.expected.Add(int64(-expected))
	p.refused.Add(int64(batch))
	for _, s := range p.turn {
		p.tally.refuse(s.channel, s.stream, s.number)
	}
	return err
}

// appendBody makes the body of the request for the events of the turn.
func (p *publisher) appendBody(b []byte) []byte {
	size := p.plan.settings.Payload
	if len(p.turn) == 1 {
		b = append(b, `{"name":"`+backendEvent+`","channels":[`...)
		b = rawjson.AppendString(b, p.plan.names[p.turn[0].channel])
		b = append(b, `],"data":`...)
		b = p.turn[0].appendLiteral(b, size)
		b = append(b, '}')
	} else {
		b = append(b, `{"batch":[`...)
		for i, s := range p.turn {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"name":"`+backendEvent+`","channel":`...)
			b = rawjson.AppendString(b, p.plan.names[s.channel])
			b = append(b, `,"data":`...)
			b = s.appendLiteral(b, size)
			b = append(b, '}')
		}
		b = append(b, "]}"...)
	}
	p.body = b
	return b
}

// sender is the connection whose turn it is.
func (p *publisher) sender(t turn) *session {
	return p.fleet.sessions[p.senders[t.number%int64(len(p.senders))]]
}

// chat sends a client event from the connection whose turn it is.
func (p *publisher) chat(t turn) error {
	s := p.sender(t)
	channel := s.channels[0]
	expected := int64(p.plan.expected(channel))
	p.gate.expected.Add(expected)
	s.mu.Lock() // until it is written, so that numbers are sent in their order
	defer s.mu.Unlock()
	st := stamp{channel, p.plan.member(s.id), p.tally.next(channel, p.plan.member(s.id)), t.intended}
	b := append(s.scratch[:0], `{"event":"`+clientEvent+`","channel":`...)
	b = rawjson.AppendString(b, p.plan.names[channel])
	b = append(b, `,"data":`...)
	b = st.appendObject(b, p.plan.settings.Payload)
	s.scratch = append(b, '}')
	return p.send(s, st, expected)
}

// churn lets the member whose turn it is leave or come back.
func (p *publisher) churn(t turn) error {
	s := p.sender(t)
	channel := s.channels[0]
	expected := int64(p.plan.expected(channel))
	p.gate.expected.Add(expected)
	s.mu.Lock()
	defer s.mu.Unlock()
	joins := 2 * p.plan.member(s.id)
	st := stamp{channel: channel, intended: t.intended}
	if s.present {
		st.stream, st.number = joins+1, p.tally.next(channel, joins+1)
		b := append(s.scratch[:0], `{"event":"pusher:unsubscribe","data":{"channel":`...)
		b = rawjson.AppendString(b, p.plan.names[channel])
		s.scratch = append(b, "}}"...)
	} else {
		st.stream, st.number = joins, p.tally.next(channel, joins)
		s.scratch = s.appendSubscribe(s.scratch[:0], channel, st)
	}
	s.present = !s.present
	return p.send(s, st, expected)
}

// send writes what is in the scratch of s, which is locked.
func (p *publisher) send(s *session, st stamp, expected int64) error {
	err := s.wire.send(appendFrame(nil, opText, s.scratch))
	if err == nil {
		p.published.Add(1)
		return nil
	}
	p.gate.expected.Add(-expected)
	p.refused.Add(1)
	p.tally.refuse(st.channel, st.stream, st.number)
	return err
}
