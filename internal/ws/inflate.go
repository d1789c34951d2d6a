package ws

import (
	"bytes"
	"errors"
	"io"
	"sync"

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

// tail ends a compressed message as a stream: the mark of a flush, which does
// not travel, and an empty last block.
var tail = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// An inflater is what it takes to inflate one message at a time.
type inflater struct {
	in, tail bytes.Reader
	out      io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	f := &inflater{}
	f.out = flate.NewReader(&f.in)
	return f
}}

// inflate returns the message that was compressed, of at most limit bytes: a
// message that would be longer is not inflated any further.
func inflate(message []byte, limit int) ([]byte, protocol.CloseCode) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.in.Reset(message)
	f.tail.Reset(tail)
	if err := f.out.(flate.Resetter).Reset(io.MultiReader(&f.in, &f.tail), nil); err != nil {
		return nil, protocol.CloseInvalidText
	}
	var text bytes.Buffer
	n, err := text.ReadFrom(io.LimitReader(f.out, int64(limit)+1))
	f.in.Reset(nil)
	switch {
	case n > int64(limit):
		return nil, protocol.CloseTooBig
	case err != nil && !errors.Is(err, io.EOF):
		return nil, protocol.CloseInvalidText
	}
	return text.Bytes(), 0
}
