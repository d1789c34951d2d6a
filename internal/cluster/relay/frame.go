package relay

import (
	"encoding/binary"
	"errors"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A kind is what a frame says.
type kind uint8

const (
	request kind = iota + 1 // opens a stream: the request, and the beginning of its body
	data                    // what follows of the request's body, or of the answer
	credit                  // so many bytes were taken: 4 bytes
	reset                   // the stream is over: 1 byte, a reason
	leave                   // whoever passed the request on sends its clients away

	// Of the link itself.
	beat    // the number of the last frame, and that the sender lives
	inquiry // something was lost: the streams that the sender has
	account // the streams that the sender has, and how many frames it sent on each
)

// flags say more about a frame.
type flags uint8

const (
	fromServing flags = 1 << iota // the sender is the node that answers
	head                          // the payload begins with the head of the answer; an inquiry begins
	flush                         // the client is to get it now
	last                          // nothing follows, of the body or of the list

	allFlags = fromServing | head | flush | last
)

// A frame is what goes over a link.
type frame struct {
	kind    kind
	flags   flags
	from    node.ID
	number  uint64 // of the frame on its link
	stream  uint64 // 0: it is about the link itself
	part    uint32 // number of the frame on its stream, in its direction; or of an inquiry
	payload []byte
}

const (
	version    = 1
	headerSize = 1 + 1 + 1 + 16 + 8 + 8 + 4
	// maxPayload is the most that one frame carries.
	maxPayload = 48 << 10
	// maxChunk is how much of a body goes into a frame, beside a head.
	maxChunk = 32 << 10
)

var errFrame = errors.New("relay: not a frame")

// append appends the encoding of f to dst.
func (f *frame) append(dst []byte) []byte {
	dst = append(dst, version, byte(f.kind), byte(f.flags))
	dst = append(dst, f.from...)
	dst = binary.BigEndian.AppendUint64(dst, f.number)
	dst = binary.BigEndian.AppendUint64(dst, f.stream)
	dst = binary.BigEndian.AppendUint32(dst, f.part)
	return append(dst, f.payload...)
}

// parseFrame reads a frame, which keeps a part of b.
func parseFrame(b []byte) (frame, error) {
	if len(b) < headerSize || len(b) > headerSize+maxPayload || b[0] != version {
		return frame{}, errFrame
	}
	f := frame{
		kind: kind(b[1]), flags: flags(b[2]), from: node.ID(b[3:19]),
		number: binary.BigEndian.Uint64(b[19:]), stream: binary.BigEndian.Uint64(b[27:]), part: binary.BigEndian.Uint32(b[35:]),
		payload: b[headerSize:],
	}
	if !f.from.Valid() || f.flags&^allFlags != 0 || f.number == 0 || !f.fits() {
		return frame{}, errFrame
	}
	return f, nil
}

// fits reports whether the frame has what its kind has.
func (f *frame) fits() bool {
	n := len(f.payload)
	ofStream := f.stream != 0 && f.part != 0
	ofLink := f.stream == 0 && (f.part == 0) == (f.kind == beat)
	switch f.kind {
	case request:
		return ofStream && n > 0 && f.flags&^last == 0
	case data:
		return ofStream && (f.flags&head == 0 || f.flags&fromServing != 0)
	case credit:
		return ofStream && n == 4 && binary.BigEndian.Uint32(f.payload) <= window
	case reset:
		return ofStream && n == 1
	case leave:
		return ofStream && n == 0 && f.flags == 0
	case beat:
		return ofLink && n == 0 && f.flags == 0
	case inquiry:
		return ofLink && n%inquirySize == 0 && f.flags&^(head|last) == 0
	case account:
		return ofLink && n%accountSize == 0 && f.flags&^last == 0
	}
	return false
}

// An entry of an inquiry or an account is a stream. Its flags are those that
// the sender of the list gives the stream's frames.
const (
	inquirySize = 1 + 8
	accountSize = inquirySize + 4
	// maxEntries is how many stand in one frame.
	maxEntries = maxPayload / accountSize
)

// A key is what a stream is found by on its link.
type key struct {
	id    uint64
	asked bool // this node has passed the request on
}

// flags are those of frames that this node sends on the stream.
func (k key) flags() flags {
	if k.asked {
		return 0
	}
	return fromServing
}

// key is what the receiver of a frame finds the stream by.
func (f *frame) key() key { return key{f.stream, f.flags&fromServing != 0} }

func appendInquiry(dst []byte, k key) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(k.flags())), k.id)
}

func appendAccount(dst []byte, k key, sent uint32) []byte {
	return binary.BigEndian.AppendUint32(appendInquiry(dst, k), sent)
}

// readSent reads the number of frames of an account.
func readSent(b []byte) uint32 { return binary.BigEndian.Uint32(b[inquirySize:]) }

// readEntry reads an entry, as the receiver names the stream.
func readEntry(b []byte) key {
	return key{binary.BigEndian.Uint64(b[1:]), flags(b[0])&fromServing != 0}
}

// A reason is why a stream was reset.
type reason uint8

const (
	canceled reason = iota + 1 // the client is gone, or nobody wants the rest
	lost                       // frames were lost
	full                       // there are too many requests
	failed                     // the handler failed, or the node ends
)
