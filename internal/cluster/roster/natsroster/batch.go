package natsroster

import (
	"encoding/binary"
	"errors"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

const (
	batchVersion = 1
	batchEntries = 4000      // the most entries that a node writes at once
	batchBytes   = 256 << 10 // about the most bytes of them
	maxName      = 255
)

var errBatch = errors.New("roster: batch is malformed")

// A batch is what an incarnation writes to the log at once. It is applied as a
// whole, or, if it does not follow its predecessor, not at all.
type batch struct {
	number  uint64 // counts the batches of the incarnation
	told    uint64 // the order up to which its decisions are safe
	beat    bool   // written because the time for it has come
	hello   bool   // the first one of the incarnation
	name    string // of the node, with hello
	begin   founding
	entries []entry
}

// A founding says what a hello makes of the log; zero is nothing.
type founding uint8

const (
	// foundEmpty begins the log, if it has not begun.
	foundEmpty founding = iota + 1
	// foundAnew begins the log again, because its beginning was lost.
	foundAnew
)

type entryKind uint8

const (
	entryAdd entryKind = iota + 1
	entryAddQuiet
	entryRemove
	entryRemoveQuiet
	entrySettle
	entryDrop
	entryLeave
)

// An entry is one statement of a batch.
type entry struct {
	kind entryKind
	key  key     // but for drop and leave
	id   node.ID // drop: the incarnation that has not written
	seen uint64  // drop: since before this position of the log
}

func (e entry) size() int { return 1 + binary.MaxVarintLen32 + len(e.key) + len(e.id) }

const (
	flagBeat  = 1
	flagHello = 2
)

func (b *batch) append(dst []byte) []byte {
	flags := byte(0)
	if b.beat {
		flags |= flagBeat
	}
	if b.hello {
		flags |= flagHello
	}
	dst = append(dst, batchVersion, flags)
	dst = binary.AppendUvarint(dst, b.number)
	dst = binary.AppendUvarint(dst, b.told)
	if b.hello {
		dst = appendString(dst, b.name)
		dst = append(dst, byte(b.begin))
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.entries)))
	for _, e := range b.entries {
		dst = append(dst, byte(e.kind))
		switch e.kind {
		case entryDrop:
			dst = appendString(dst, string(e.id))
			dst = binary.AppendUvarint(dst, e.seen)
		case entryLeave:
		default:
			dst = appendString(dst, e.key)
		}
	}
	return dst
}

// parseBatch is the opposite of append. It keeps nothing of data.
func parseBatch(data []byte) (*batch, error) {
	d := decoder{rest: string(data)}
	if d.byte() != batchVersion {
		return nil, errBatch
	}
	flags := d.byte()
	b := &batch{beat: flags&flagBeat != 0, hello: flags&flagHello != 0}
	b.number, b.told = d.uvarint(), d.uvarint()
	if b.hello {
		b.name = d.string(maxName)
		b.begin = founding(d.byte())
	}
	n := d.uvarint()
	if d.bad || n > uint64(len(d.rest)) || b.begin > foundAnew {
		return nil, errBatch
	}
	b.entries = make([]entry, 0, n)
	for range n {
		e := entry{kind: entryKind(d.byte())}
		switch e.kind {
		case entryAdd, entryAddQuiet, entryRemove, entryRemoveQuiet, entrySettle:
			e.key = d.key()
		case entryDrop:
			e.id, e.seen = d.id(), d.uvarint()
		case entryLeave:
		default:
			d.bad = true
		}
		if d.bad {
			return nil, errBatch
		}
		b.entries = append(b.entries, e)
	}
	if d.rest != "" {
		return nil, errBatch
	}
	return b, nil
}

// A decoder takes values off the front of a text until something is wrong;
// from then on it returns zeros.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) fail() {
	d.bad, d.rest = true, ""
}

func (d *decoder) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	n := uint64(0)
	for shift := 0; shift < 64; shift += 7 {
		c := d.byte()
		if shift == 63 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	d.fail()
	return 0
}

// string returns a copy, so that one key does not keep a batch in memory.
func (d *decoder) string(limit int) string {
	s, rest, ok := cutString(d.rest)
	if !ok || len(s) > limit {
		d.fail()
		return ""
	}
	d.rest = rest
	return string([]byte(s))
}

func (d *decoder) key() key {
	k := d.string(maxKey)
	if _, err := parse(k); err != nil {
		d.fail()
	}
	return k
}

func (d *decoder) id() node.ID {
	id := node.ID(d.string(maxName))
	if !id.Valid() {
		d.fail()
	}
	return id
}
