package natsroster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/fnv"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// An image is kept in parts: version, position in the log, fingerprint of the
// batch there, number of the part, how many there are, checksum of all parts,
// and its bytes.
const (
	partVersion = 1
	partBytes   = 512 << 10
	partHeader  = 1 + 8 + 8 + 4 + 4 + 4
)

// A shot is an image on its way into the archive.
type shot struct {
	seq   uint64 // the log up to here
	mark  uint64 // fingerprint of the batch there
	image []byte
}

// fingerprint tells a batch from another one at the same position of a stream
// that was made anew: authors are never the same.
func fingerprint(r record) uint64 {
	h := fnv.New64a()
	h.Write([]byte(r.author))
	h.Write(r.data)
	return h.Sum64()
}

func (s shot) parts() [][]byte {
	n := max((len(s.image)+partBytes-1)/partBytes, 1)
	sum := crc32.ChecksumIEEE(s.image)
	var parts [][]byte
	for i := range n {
		piece := s.image[i*partBytes : min((i+1)*partBytes, len(s.image))]
		p := make([]byte, 0, partHeader+len(piece))
		p = append(p, partVersion)
		p = binary.BigEndian.AppendUint64(p, s.seq)
		p = binary.BigEndian.AppendUint64(p, s.mark)
		p = binary.BigEndian.AppendUint32(p, uint32(i))
		p = binary.BigEndian.AppendUint32(p, uint32(n))
		p = binary.BigEndian.AppendUint32(p, sum)
		parts = append(parts, append(p, piece...))
	}
	return parts
}

// A puzzle puts the parts of an image together.
type puzzle struct {
	shot
	first uint64 // position of its first part
	next  uint32 // number of the next part
	count uint32
	sum   uint32
}

// complete reports whether all parts are there, and as they were written.
func (p *puzzle) complete() bool {
	return p != nil && p.count > 0 && p.next == p.count && crc32.ChecksumIEEE(p.image) == p.sum
}

// put adds a part, or begins anew with the first one.
func (p *puzzle) put(seq uint64, part []byte) {
	if len(part) < partHeader || part[0] != partVersion {
		return
	}
	at, mark := binary.BigEndian.Uint64(part[1:]), binary.BigEndian.Uint64(part[9:])
	i, n, sum := binary.BigEndian.Uint32(part[17:]), binary.BigEndian.Uint32(part[21:]), binary.BigEndian.Uint32(part[25:])
	if i == 0 {
		*p = puzzle{shot: shot{seq: at, mark: mark}, first: seq, count: n, sum: sum}
	}
	if i != p.next || at != p.seq || mark != p.mark || n != p.count || sum != p.sum {
		p.count = 0 // something is missing
		return
	}
	p.next++
	p.image = append(p.image, part[partHeader:]...)
}

// latest returns the image of the latest position among those that can be put
// together and that are wanted; nil if there is none.
func latest(ctx context.Context, j journal, wanted func(node.ID, *puzzle) bool) (*puzzle, error) {
	var best *puzzle
	open := make(map[node.ID]*puzzle)
	err := j.kept(ctx, func(author node.ID, seq uint64, part []byte) {
		if open[author] == nil {
			open[author] = new(puzzle)
		}
		p := open[author]
		p.put(seq, part)
		if p.complete() {
			delete(open, author)
			if wanted(author, p) && (best == nil || p.seq >= best.seq) {
				best = p
			}
		}
	})
	return best, err
}

// restore returns the latest ledger that the log goes on from; nil if there is
// none. The log still has the batch at its position.
func restore(ctx context.Context, j journal) (*ledger, error) {
	first, last, err := j.bounds(ctx)
	if err != nil {
		return nil, err
	}
	p, err := latest(ctx, j, func(_ node.ID, p *puzzle) bool {
		if p.seq < first || p.seq > last {
			return false
		}
		r, err := j.at(ctx, p.seq)
		return err == nil && fingerprint(r) == p.mark
	})
	if p == nil || err != nil {
		return nil, err
	}
	l, err := parseImage(p.image)
	if err != nil || l.seq != p.seq {
		return nil, nil // the log may be complete without it
	}
	return l, nil
}

var errNotKept = errors.New("roster: the image that was kept can not be read")

// archive keeps an image, and then forgets what is older. The batch at its
// position stays, for restore.
func archive(ctx context.Context, j journal, author node.ID, s shot) error {
	if err := j.keep(ctx, author, s.parts()); err != nil {
		return err
	}
	p, err := latest(ctx, j, func(id node.ID, p *puzzle) bool {
		return id == author && p.seq == s.seq && p.mark == s.mark && bytes.Equal(p.image, s.image)
	})
	if err != nil {
		return err
	}
	if p == nil {
		return errNotKept
	}
	return j.forget(ctx, s.seq, p.first)
}
