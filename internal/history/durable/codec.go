package durable

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/protocol"
)

// version is how messages are written. Those of other versions are not read.
const version = 1

var errFormat = errors.New("durable: a message can not be read")

// A header begins a message.
type header struct {
	life, index uint64
	begun       bool // the publisher has said from where on it has everything
	base        uint64
}

func (h header) append(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, h.life)
	dst = binary.AppendUvarint(dst, h.index)
	if h.begun {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	return binary.AppendUvarint(dst, h.base)
}

// Kinds of records.
const (
	kindEvent = 1
	kindMark  = 2
)

func appendRecord(dst []byte, r *history.Record) []byte {
	if r.Frame == nil {
		dst = appendText(append(dst, kindMark), r.Channel)
		return binary.AppendUvarint(dst, r.Number)
	}
	dst = appendText(append(dst, kindEvent), r.Channel)
	dst = binary.AppendUvarint(dst, r.Number)
	dst = binary.AppendUvarint(dst, r.Before)
	dst = binary.AppendUvarint(dst, uint64(max(r.At.UnixMilli(), 0)))
	except := ""
	if !r.Except.IsZero() {
		except = r.Except.String()
	}
	dst = appendText(dst, except)
	return appendText(dst, r.Frame.Message())
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// decode reads a message.
func decode(data []byte) (h header, list []history.Record, err error) {
	d := decoder{rest: data}
	if d.byte() != version {
		return h, nil, errFormat
	}
	h.life, h.index = d.number(), d.number()
	h.begun = d.byte() == 1
	h.base = d.number()
	for len(d.rest) > 0 && !d.bad {
		list = append(list, d.record())
	}
	if d.bad {
		return header{}, nil, errFormat
	}
	return h, list, nil
}

// A decoder reads values until one is not there.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) record() (r history.Record) {
	kind := d.byte()
	r.Channel = string(d.text())
	r.Number = d.number()
	if kind == kindMark {
		return r
	}
	d.bad = d.bad || kind != kindEvent
	r.Before = d.number()
	r.At = time.UnixMilli(int64(min(d.number(), 1<<50)))
	if except := string(d.text()); except != "" {
		var ok bool
		if r.Except, ok = protocol.ParseSocketID(except); !ok {
			d.bad = true
		}
	}
	r.Frame = textFrame(d.text())
	return r
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) text() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}
