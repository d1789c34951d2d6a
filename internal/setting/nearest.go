package setting

import "strings"

// Unknown says that a name is not one of the known, and which of them was
// probably meant. Names may be full ones with dots.
func Unknown(name string, known []string) string {
	if near, ok := Nearest(name, known); ok {
		return "unknown setting; did you mean " + near + "?"
	}
	return "unknown setting; known here: " + strings.Join(known, ", ")
}

// Nearest returns the candidate that is closest to name by spelling, if one
// is close enough to be a likely slip.
func Nearest(name string, candidates []string) (string, bool) {
	folded := fold(name)
	best, bestDistance := "", max(1, len(folded)/3)+1
	for _, c := range candidates {
		if d := distance(folded, fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// fold makes names that differ only in case and separators equal, so that
// pongTimeout and pong-timeout are both close to pong_timeout.
func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
