package bench

import "math/bits"

// precision is how many bits of a value a histogram keeps: it is exact up to
// 255, and within 0.8 % above.
const precision = 7

// A histogram counts values by size, in buckets that are as wide as the value
// is large: 128 for every power of two. It takes as much memory however much
// it counts. The zero value is empty.
type histogram struct {
	buckets []uint64
	total   uint64
	sum     float64
	high    int64
}

// bucket is where v is counted. Below 0 counts as 0.
func bucket(v int64) int {
	u := uint64(max(v, 0))
	shift := max(0, bits.Len64(u)-precision-1)
	return shift<<precision + int(u>>shift)
}

// bucketEnd is the highest value that is counted in bucket i.
func bucketEnd(i int) int64 {
	shift := max(0, i>>precision-1)
	return int64(i-shift<<precision+1)<<shift - 1
}

var bucketCount = bucket(1<<63-1) + 1

func (h *histogram) record(v int64) {
	if h.buckets == nil {
		h.buckets = make([]uint64, bucketCount)
	}
	h.buckets[bucket(v)]++
	h.total++
	h.sum += float64(v)
	h.high = max(h.high, v)
}

// add counts everything that other has counted.
func (h *histogram) add(other *histogram) {
	if other.total == 0 {
		return
	}
	if h.buckets == nil {
		h.buckets = make([]uint64, bucketCount)
	}
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.total += other.total
	h.sum += other.sum
	h.high = max(h.high, other.high)
}

// quantile returns the value that a share q of all values is not above, and
// zero without any.
func (h *histogram) quantile(q float64) int64 {
	rank := uint64(q * float64(h.total))
	if float64(rank) < q*float64(h.total) {
		rank++
	}
	rank = max(rank, 1)
	seen := uint64(0)
	for i, n := range h.buckets {
		seen += n
		if seen >= rank {
			return min(bucketEnd(i), h.high)
		}
	}
	return h.high
}

func (h *histogram) mean() float64 {
	if h.total == 0 {
		return 0
	}
	return h.sum / float64(h.total)
}
