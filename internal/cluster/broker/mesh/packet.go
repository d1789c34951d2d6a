package mesh

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Every packet begins with
//
//	magic (1), version (1), type (1), id of the sender (16)
//
// A beat, which goes to all, goes on with flags, the name of the sender and
// what is to be known about it. What goes to one peer goes on with the rest of
// the header. A batch then has messages, each after its length (4); a pulse
// has three times. Numbers are 8 bytes, big-endian, but for lengths in beats,
// which are varints.
const (
	magic   = 0xBE
	version = 3

	prefixLen = 3 + idLen
	idLen     = 16
	headerLen = prefixLen + 1 + 5*8
	pulseLen  = headerLen + 3*8
	lengthLen = 4
)

type packetType byte

const (
	typeBatch packetType = iota + 1
	typePulse
	typeBeat
)

// The limits of a beat.
const (
	maxName  = 255
	maxInfo  = 4 << 10
	maxPairs = 64
)

const (
	flagLeaving = 1 // of a beat

	// Of other packets.
	flagAsk   = 1
	flagLost  = 2
	flagAgain = 4
	flags     = flagAsk | flagLost | flagAgain
)

// HasMessages reports whether a packet carries messages, and not only what
// nodes have to say about themselves. It is for wires that lose some of them
// on purpose.
func HasMessages(packet []byte) bool {
	t, _, _, ok := parsePrefix(packet)
	return ok && t == typeBatch
}

// A header is what batches and pulses begin with.
type header struct {
	// Epoch is that of the sender's link, and number that of the batch on it,
	// from 1. A pulse has that of the last batch that was sent before it. What
	// is below base is not sent again.
	epoch, number, base uint64
	// Ack is the last batch of the receiver's link of epoch ackEpoch that the
	// sender has dispatched.
	ackEpoch, ack uint64
	// Ask is for a pulse at once, when the packet has been dispatched.
	ask bool
	// Lost is that messages were lost before those of the batch.
	lost bool
	// Again is for everything after ack to be sent again.
	again bool
}

func putPrefix(b []byte, t packetType, from node.ID) {
	b[0], b[1], b[2] = magic, version, byte(t)
	copy(b[3:prefixLen], from)
}

// parsePrefix returns the type of a packet, who sent it, and the rest.
func parsePrefix(b []byte) (t packetType, from node.ID, rest []byte, ok bool) {
	if len(b) < prefixLen || b[0] != magic || b[1] != version {
		return 0, "", nil, false
	}
	from = node.ID(b[3:prefixLen])
	return packetType(b[2]), from, b[prefixLen:], from.Valid()
}

func (h *header) put(b []byte, t packetType, from node.ID) {
	putPrefix(b, t, from)
	b[prefixLen] = 0
	if h.ask {
		b[prefixLen] |= flagAsk
	}
	if h.lost {
		b[prefixLen] |= flagLost
	}
	if h.again {
		b[prefixLen] |= flagAgain
	}
	for i, n := range [...]uint64{h.epoch, h.number, h.base, h.ackEpoch, h.ack} {
		binary.BigEndian.PutUint64(b[prefixLen+1+8*i:], n)
	}
}

// parse reads a header of a packet of a type, without its prefix, and returns
// the rest.
func (h *header) parse(b []byte, t packetType) (rest []byte, ok bool) {
	if len(b) < headerLen-prefixLen || b[0]&^flags != 0 {
		return nil, false
	}
	h.ask, h.lost, h.again = b[0]&flagAsk != 0, b[0]&flagLost != 0, b[0]&flagAgain != 0
	for i, n := range [...]*uint64{&h.epoch, &h.number, &h.base, &h.ackEpoch, &h.ack} {
		*n = binary.BigEndian.Uint64(b[1+8*i:])
	}
	ok = h.epoch != 0 && h.base != 0 && h.base-1 <= h.number
	if t == typeBatch {
		ok = ok && h.base <= h.number
	}
	return b[headerLen-prefixLen:], ok
}

// nextMessage takes a message from the front of a batch's messages.
func nextMessage(b []byte) (message, rest []byte, ok bool) {
	if len(b) < lengthLen {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[lengthLen:]; uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// A pulse lets the round trip be measured: a stamp of the sender's clock, the
// last stamp that it has seen of the receiver's, and for how long it had it.
type pulse struct{ stamp, echo, held uint64 }

func (p *pulse) append(b []byte) []byte {
	for _, n := range [...]uint64{p.stamp, p.echo, p.held} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (p *pulse) parse(b []byte) (ok bool) {
	if len(b) != pulseLen-headerLen {
		return false
	}
	for i, n := range [...]*uint64{&p.stamp, &p.echo, &p.held} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	return true
}

// A beat says that a node is there.
type beat struct {
	id      node.ID
	leaving bool
	name    string
	info    map[string]string
}

func appendBeat(dst []byte, b *beat) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, prefixLen+1)...)
	putPrefix(dst[at:], typeBeat, b.id)
	markLeaving(dst[at:], b.leaving)
	dst = appendText(dst, b.name)
	dst = append(dst, byte(len(b.info)))
	for _, key := range slices.Sorted(maps.Keys(b.info)) {
		dst = appendText(appendText(dst, key), b.info[key])
	}
	return dst
}

// markLeaving changes a beat that is written.
func markLeaving(b []byte, leaving bool) {
	b[prefixLen] = 0
	if leaving {
		b[prefixLen] = flagLeaving
	}
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parse reads a beat without its prefix.
func (b *beat) parse(text []byte) (ok bool) {
	if len(text) < 1 || text[0]&^flagLeaving != 0 || len(text) > 2*maxInfo {
		return false
	}
	b.leaving = text[0]&flagLeaving != 0
	if b.name, text, ok = takeText(text[1:], maxName); !ok || b.name == "" || len(text) < 1 {
		return false
	}
	pairs := int(text[0])
	text = text[1:]
	if pairs > maxPairs {
		return false
	}
	b.info = make(map[string]string, pairs)
	for range pairs {
		var key, value string
		if key, text, ok = takeText(text, maxName); !ok {
			return false
		}
		if value, text, ok = takeText(text, maxInfo); !ok {
			return false
		}
		b.info[key] = value
	}
	return len(text) == 0 && len(b.info) == pairs
}

func takeText(b []byte, limit int) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(limit) || n > uint64(len(b)-size) {
		return "", nil, false
	}
	s, rest = string(b[size:size+int(n)]), b[size+int(n):]
	return s, rest, validText(s, limit)
}
