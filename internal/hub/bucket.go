package hub

import "time"

// A bucket holds as many tokens as a second brings, and is full at first.
type bucket struct {
	tokens float32
	at     int64 // Unix nanoseconds of the last take
}

func (b *bucket) fill(perSecond int) { b.tokens = float32(perSecond) }

// take takes a token if there is one.
func (b *bucket) take(now time.Time, perSecond int) bool {
	t := now.UnixNano()
	if b.at != 0 {
		passed := max(float32(t-b.at)/float32(time.Second), 0)
		b.tokens = min(b.tokens+passed*float32(perSecond), float32(perSecond))
	}
	b.at = t
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
