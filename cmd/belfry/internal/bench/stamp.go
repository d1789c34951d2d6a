package bench

import (
	"bytes"
	"strconv"
)

// A stamp is what every event carries in its data, so that whoever receives it
// knows all about it.
type stamp struct {
	channel  int    // as numbered by the plan
	stream   int    // which of the streams of that channel
	number   uint64 // in the stream, from 1
	intended int64  // when the schedule wanted it sent, on the clock of the run
}

// Marks of a stamp. The first is in nothing else that is sent or received,
// and neither needs an escape in JSON, however often it is wrapped.
const (
	stampBegin = "@@"
	stampEnd   = '|'
)

var stampMark = []byte(stampBegin)

func (s stamp) append(dst []byte) []byte {
	dst = append(dst, stampBegin...)
	dst = strconv.AppendInt(dst, int64(s.channel), 10)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, int64(s.stream), 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, s.number, 10)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, s.intended, 10)
	return append(dst, stampEnd)
}

// findStamp returns the first stamp in text.
func findStamp(text []byte) (stamp, bool) {
	i := bytes.Index(text, stampMark)
	if i < 0 {
		return stamp{}, false
	}
	var fields [4]uint64
	field := 0
	for _, b := range text[i+len(stampMark):] {
		switch {
		case b >= '0' && b <= '9':
			fields[field] = fields[field]*10 + uint64(b-'0')
		case b == '.' && field < len(fields)-1:
			field++
		case b == stampEnd && field == len(fields)-1:
			return stamp{int(fields[0]), int(fields[1]), fields[2], int64(fields[3])}, true
		default:
			return stamp{}, false
		}
	}
	return stamp{}, false
}

// Around the stamp in the data of an event.
const (
	dataBegin = `{"mark":"`
	dataEnd   = `"}`
)

// appendFilled appends a stamp, and as much filling as makes the data of the
// event size bytes long.
func (s stamp) appendFilled(dst []byte, size int) []byte {
	start := len(dst)
	dst = s.append(dst)
	for missing := size - len(dataBegin) - len(dataEnd) - (len(dst) - start); missing > 0; {
		n := min(missing, len(filling))
		dst = append(dst, filling[:n]...)
		missing -= n
	}
	return dst
}

const filling = "the quick brown fox jumps over the lazy dog and then comes back to do it once more; "

// appendObject appends the data of a client event, a JSON object.
func (s stamp) appendObject(dst []byte, size int) []byte {
	dst = append(dst, dataBegin...)
	dst = s.appendFilled(dst, size)
	return append(dst, dataEnd...)
}

// appendLiteral appends the same as a JSON string literal, which is how a
// backend sends it.
func (s stamp) appendLiteral(dst []byte, size int) []byte {
	dst = append(dst, `"{\"mark\":\"`...)
	dst = s.appendFilled(dst, size)
	return append(dst, `\"}"`...)
}
