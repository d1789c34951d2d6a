package handover

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

const (
	// pendingTime is how long a decision waits for somebody who wants to be told
	// of it: other nodes know of a change of an app within a second.
	pendingTime = 2 * time.Second
	// expireEvery bounds how often it is looked for those that have waited long
	// enough.
	expireEvery = 100 * time.Millisecond
	// maxPending is how many wait at most. Of more, what nobody wants is told to
	// nobody at once.
	maxPending = 10_000
)

// pending are decisions that nobody wants to be told of here, although the
// node in whose log they are knew somebody. This one may not have heard of
// the app yet, or not of its newest webhooks. What is decided of the same
// channel waits behind them, so that the order is kept. They count as open.
//
// That is so only for subjects in which no endpoint has any part. Where one
// wants to know of the beginning alone, its end waits for nobody: every such
// channel would wait each time.
//
// The zero value is none. The lock of Decisions guards it.
type pending struct {
	apps  map[string]map[string][]undecided // by app and channel, in order; none is empty
	count int
}

// An undecided thing is a decision of which it is not known who wants it.
type undecided struct {
	roster.Decision
	at time.Time // when the roster told it
}

// A place is a channel of an app.
type place struct{ app, channel string }

func (p *pending) has(app, channel string) bool { return len(p.apps[app][channel]) > 0 }

func (p *pending) add(u undecided) {
	if p.apps == nil {
		p.apps = make(map[string]map[string][]undecided)
	}
	channels := p.apps[u.App]
	if channels == nil {
		channels = make(map[string][]undecided)
		p.apps[u.App] = channels
	}
	channels[u.Channel] = append(channels[u.Channel], u)
	p.count++
}

// first returns the first one of a channel, or nil.
func (p *pending) first(app, channel string) *undecided {
	if list := p.apps[app][channel]; len(list) > 0 {
		return &list[0]
	}
	return nil
}

// removeFirst takes the first one of a channel away.
func (p *pending) removeFirst(app, channel string) {
	channels := p.apps[app]
	p.count--
	if channels[channel] = channels[channel][1:]; len(channels[channel]) > 0 {
		return
	}
	if delete(channels, channel); len(channels) == 0 {
		delete(p.apps, app)
	}
}

// channels returns those of an app that have any.
func (p *pending) channels(app string) (list []string) {
	for channel := range p.apps[app] {
		list = append(list, channel)
	}
	return list
}

// all returns the channels that have any.
func (p *pending) all() (list []place) {
	for app, channels := range p.apps {
		for channel := range channels {
			list = append(list, place{app, channel})
		}
	}
	return list
}

// oldest is when the first of all came, or zero.
func (p *pending) oldest() (at time.Time) {
	for _, channels := range p.apps {
		for _, list := range channels {
			if at.IsZero() || list[0].at.Before(at) {
				at = list[0].at
			}
		}
	}
	return at
}
