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

// A snapshot is kept in chunks: version, position in the log, fingerprint of
// the batch there, number of the chunk, how many there are. Then come the
// checksum of all chunks and the bytes of this one.
const (
	chunkVersion = 1
	chunkBytes   = 512 << 10
	chunkHeader  = 1 + 8 + 8 + 4 + 4 + 4
)

// A snapshot is a ledger as bytes, on its way into the archive.
type snapshot struct {
	seq  uint64 // the log up to here
	mark uint64 // fingerprint of the batch there
	data []byte
}

// fingerprint tells a batch from another one at the same position of a stream
// that was made anew: authors are never the same.
func fingerprint(r record) uint64 {
	h := fnv.New64a()
	h.Write([]byte(r.author))
	h.Write(r.data)
	return h.Sum64()
}

func (s snapshot) chunks() [][]byte {
	n := max((len(s.data)+chunkBytes-1)/chunkBytes, 1)
	sum := crc32.ChecksumIEEE(s.data)
	var chunks [][]byte
	for i := range n {
		piece := s.data[i*chunkBytes : min((i+1)*chunkBytes, len(s.data))]
		p := make([]byte, 0, chunkHeader+len(piece))
		p = append(p, chunkVersion)
		p = binary.BigEndian.AppendUint64(p, s.seq)
		p = binary.BigEndian.AppendUint64(p, s.mark)
		p = binary.BigEndian.AppendUint32(p, uint32(i))
		p = binary.BigEndian.AppendUint32(p, uint32(n))
		p = binary.BigEndian.AppendUint32(p, sum)
		chunks = append(chunks, append(p, piece...))
	}
	return chunks
}

// An assembly puts the chunks of a snapshot together.
type assembly struct {
	snapshot
	first uint64 // position of its first chunk
	next  uint32 // number of the next chunk
	count uint32
	sum   uint32
}

// complete reports whether all chunks are there, and as they were written.
func (p *assembly) complete() bool {
	return p != nil && p.count > 0 && p.next == p.count && crc32.ChecksumIEEE(p.data) == p.sum
}

// put adds a chunk, or begins anew with the first one.
func (p *assembly) put(seq uint64, chunk []byte) {
	if len(chunk) < chunkHeader || chunk[0] != chunkVersion {
		return
	}
	at, mark := binary.BigEndian.Uint64(chunk[1:]), binary.BigEndian.Uint64(chunk[9:])
	i, n, sum := binary.BigEndian.Uint32(chunk[17:]), binary.BigEndian.Uint32(chunk[21:]), binary.BigEndian.Uint32(chunk[25:])
	if i == 0 {
		*p = assembly{snapshot: snapshot{seq: at, mark: mark}, first: seq, count: n, sum: sum}
	}
	if i != p.next || at != p.seq || mark != p.mark || n != p.count || sum != p.sum {
		p.count = 0 // something is missing
		return
	}
	p.next++
	p.data = append(p.data, chunk[chunkHeader:]...)
}

// latest returns the snapshot of the latest position among those that can be put
// together and that are wanted; nil if there is none.
func latest(ctx context.Context, j journal, wanted func(node.ID, *assembly) bool) (*assembly, error) {
	var best *assembly
	open := make(map[node.ID]*assembly)
	err := j.kept(ctx, func(author node.ID, seq uint64, chunk []byte) {
		if open[author] == nil {
			open[author] = new(assembly)
		}
		p := open[author]
		p.put(seq, chunk)
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
	p, err := latest(ctx, j, func(_ node.ID, p *assembly) bool {
		if p.seq < first || p.seq > last {
			return false
		}
		r, err := j.at(ctx, p.seq)
		return err == nil && fingerprint(r) == p.mark
	})
	if p == nil || err != nil {
		return nil, err
	}
	l, err := parseSnapshot(p.data)
	if err != nil || l.seq != p.seq {
		return nil, nil // the log may be complete without it
	}
	return l, nil
}

var errNotKept = errors.New("roster: the snapshot that was kept can not be read")

// archive keeps a snapshot, and then forgets what is older. The batch at its
// position stays, for restore.
func archive(ctx context.Context, j journal, author node.ID, s snapshot) error {
	if err := j.keep(ctx, author, s.chunks()); err != nil {
		return err
	}
	p, err := latest(ctx, j, func(id node.ID, p *assembly) bool {
		return id == author && p.seq == s.seq && p.mark == s.mark && bytes.Equal(p.data, s.data)
	})
	if err != nil {
		return err
	}
	if p == nil {
		return errNotKept
	}
	return j.forget(ctx, s.seq, p.first)
}
