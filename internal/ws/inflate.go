package ws

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
	"github.com/klauspost/compress/flate"

	"github.com/belfryhq/belfry/protocol"
)

// compression is what is negotiated: no context takeover in either direction. A
// frame to many clients is compressed once for all of them, and a connection
// keeps no window while it is idle (RFC 7692).
var compression = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}

// A negotiation looks for a compression that client and server can do.
type negotiation struct{ accepted bool }

// choose answers one offer of the client: with nothing if it can not be met.
// The first offer that can is taken.
func (n *negotiation) choose(offer httphead.Option) (httphead.Option, error) {
	if n.accepted || !bytes.Equal(offer.Name, wsflate.ExtensionNameBytes) {
		return httphead.Option{}, nil
	}
	var p wsflate.Parameters
	if p.Parse(offer) != nil || p.ServerMaxWindowBits.Defined() && p.ServerMaxWindowBits < 15 {
		return httphead.Option{}, nil
	}
	n.accepted = true
	answer := compression
	answer.ServerMaxWindowBits = p.ServerMaxWindowBits // an offer of the whole window wants to hear of it (7.1.2.1)
	return answer.Option(), nil
}

// The bounds of what may come of the compressed messages of one client. Text
// that people write shrinks to a third, JSON to a tenth, and white space to a
// thousandth: without a bound, few bytes of a client would be much work.
const (
	// fairRatio is how many times as long as it was sent a message may become
	// however often.
	fairRatio = 32
	// A client has an allowance for what comes out beyond that: so many of the
	// longest messages a second, and not more than so many at once. It is
	// more than the default limits of an app let anybody send.
	allowancePerSecond = 1
	allowance          = 2
	// turnInflated is how much of one client is inflated in one turn of the
	// loop, and one message more. It is counted in bytes that come out.
	turnInflated = 64 << 10
	// deflatedCost is what a byte that goes in costs, in such bytes: blocks
	// that hold next to nothing are slow to read. messageCost is what a
	// message costs beside its length.
	deflatedCost = 16
	messageCost  = 256
)

// An inflation holds the compressed messages of one client to their bounds. It
// is no rate.Limiter, because one has to know how many bytes are left.
type inflation struct {
	left   int       // bytes of the allowance
	filled time.Time // when that was so
}

// newInflation returns one with the whole allowance. No message may be longer
// than limit.
func newInflation(now time.Time, limit int) *inflation { return &inflation{allowance * limit, now} }

// refill adds to the allowance what time has brought.
func (f *inflation) refill(now time.Time, limit int) {
	most := allowance * limit
	if f.left < most {
		brought := now.Sub(f.filled).Seconds() * allowancePerSecond * float64(limit)
		f.left += int(min(brought, float64(most-f.left)))
	}
	f.filled = now
}

// message inflates a message of at most limit bytes, and takes what comes of
// it. A message that would be longer, or more than is left of the allowance, is
// not inflated any further. It returns how much work it was, as a turn counts it.
func (f *inflation) message(payload []byte, limit int, take func(text []byte) protocol.CloseCode) (work int, bad protocol.CloseCode) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	fair := fairRatio * (len(payload) + len(flushMark)) // which was left out only because all end with it
	text, err := z.inflate(payload, min(limit, fair+f.left))
	switch {
	case errors.Is(err, errTooLong) && fair+f.left < limit:
		return 0, protocol.ClosePolicy
	case errors.Is(err, errTooLong):
		return 0, protocol.CloseTooBig
	case err != nil:
		return 0, protocol.CloseInvalidText
	}
	f.left -= max(len(text)-fair, 0)
	return max(len(text), deflatedCost*len(payload)) + messageCost, take(text)
}

// An inflater is what it takes to inflate one message at a time. Its memory is
// used again.
type inflater struct {
	message []byte // compressed, with its tail
	in      bytes.Reader
	out     io.ReadCloser
	text    []byte
}

// keepInflater is the largest memory for a message that is kept for the next.
const keepInflater = 512 << 10

// flushMark is what every compressed message ends with, so that it does not
// travel; tail is that mark and an empty last block, which ends the stream.
var (
	flushMark = []byte{0x00, 0x00, 0xff, 0xff}
	tail      = append(flushMark[:4:4], 0x01, 0x00, 0x00, 0xff, 0xff)
)

var errTooLong = errors.New("the message is too long")

var inflaters = sync.Pool{New: func() any {
	z := &inflater{text: make([]byte, 0, 4<<10)}
	z.out = flate.NewReader(&z.in)
	return z
}}

// inflate returns what comes of a compressed message, if that is at most limit
// bytes. It is valid until the next call.
func (z *inflater) inflate(payload []byte, limit int) ([]byte, error) {
	if len(payload) == 0 {
		return nil, nil // some compressors make that of an empty message
	}
	z.message = append(append(z.message[:0], payload...), tail...)
	z.in.Reset(z.message)
	if err := z.out.(flate.Resetter).Reset(&z.in, nil); err != nil {
		return nil, err
	}
	if cap(z.text) > keepInflater {
		z.text = nil
	}
	text := z.text[:0]
	for {
		if len(text) == cap(text) {
			text = slices.Grow(text, min(max(2*len(text), 4<<10), limit+1-len(text)))
		}
		n, err := z.out.Read(text[len(text):min(cap(text), limit+1)])
		text = text[:len(text)+n]
		z.text = text
		switch {
		case len(text) > limit:
			return nil, errTooLong
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}
