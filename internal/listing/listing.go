// Package listing makes lists of what a node holds for those who operate it: its
// channels, connections and users, page by page, filtered, sorted and counted.
//
// What there is, the hub knows. It shows sessions on their loops, a slice in each
// turn, and copies names shard by shard. So clients wait for a list for a moment at
// most, however long it is. This package says which of them stand on a page. What a
// list has in JSON, and that other nodes are asked as well, package inspect knows.
//
// The package has no state. It takes no locks; what is called on several loops at
// once writes to a place of its own for each.
package listing

import "slices"

// mergeFirst puts what comes behind after into the first limit elements of a list,
// which are sorted, and reports whether something is left out, or was before.
func mergeFirst[T any](first, fresh []T, limit int, more bool, compare func(a, b T) int, after *T) ([]T, bool) {
	full := len(first) == limit // and then first[limit-1] is the last that counts
	for _, x := range fresh {
		if after != nil && compare(x, *after) <= 0 {
			continue
		}
		if full && compare(x, first[limit-1]) > 0 {
			more = true
			continue
		}
		if first = append(first, x); len(first) >= 2*limit {
			slices.SortFunc(first, compare)
			more = more || len(first) > limit
			first, full = first[:limit], true
		}
	}
	slices.SortFunc(first, compare)
	if len(first) > limit {
		first, more = first[:limit], true
	}
	return first, more
}
