package natsroster

import "github.com/belfryhq/belfry/internal/cluster/node"

// recentBeats is how many beats of another one an incarnation may let pass
// without writing until it gets nothing more to tell. With one less, a healthy
// one that is idle would be late for it with every second beat.
const recentBeats = 3

// beat takes note of a beat of x, at the position that is being read. Since the
// others are held to whoever is ahead, all authors find the same to be lively.
func (l *ledger) beat(x *incarnation) {
	copy(x.beats[:], x.beats[1:])
	x.beats[recentBeats-1] = l.seq
	l.recent = max(l.recent, x.beats[0])
}

// lively reports whether x may be given something to tell: it has not ended,
// and if it had died the others would have had few beats since.
func (l *ledger) lively(x *incarnation) bool { return !x.lapsed && x.seq >= l.recent }

// teller returns the one that tells what is decided about a channel and its
// members while the lively incarnations stay the same. Where one comes or goes,
// it takes its share and leaves the others theirs (rendezvous hashing). The
// author of the entry is lively, whatever a snapshot says.
func (l *ledger) teller(author *incarnation, k key) *incarnation {
	prefix, _ := place(k)
	h := hash(prefix)
	best, most := author, mix(h^author.seed)
	for _, x := range l.slots[:] {
		if x == nil || !l.lively(x) {
			continue
		}
		if score := mix(h ^ x.seed); score > most || score == most && x.id < best.id {
			best, most = x, score
		}
	}
	return best
}

func seedOf(id node.ID) uint64 { return hash(string(id)) }

// hash is FNV-1a. Like mix, it is a part of how the log is read.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit over all others, which FNV does not: the finalizer of
// SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
