package fallback_test

import (
	"fmt"
	"slices"
	"testing"
)

// A statement is one numbered line of the checklist of the fallback
// transports. Its test makes nodes of its own.
type statement struct {
	number int
	name   string
	test   func(t *testing.T)
}

// statements is how many the checklist has.
const statements = 90

func checklist() []statement {
	return slices.Concat(urls(), origins(), responses(), handshakes(), streaming(), polling(), sending(), liveness(), receivers(), closing(), sockJS(), reports())
}

// elsewhere are the statements that need real clients, proxies or files, and
// where they are tested. Some are tested here as well.
var elsewhere = map[int]string{
	83: "e2e: upstream sockjs-client in Chromium",
	84: "web: the handler's tests",
	86: "e2e: published Node builds of five major versions",
	87: "e2e: the worker build in Chromium",
	88: "e2e: eight streaming clients in one page",
	89: "e2e/acceptance: pusher-js's own suite",
	90: "e2e/acceptance: pusher-js's own suite over the HTTP transports",
}

func TestChecklist(t *testing.T) {
	for _, s := range checklist() {
		t.Run(fmt.Sprintf("%03d_%s", s.number, s.name), func(t *testing.T) {
			t.Parallel()
			s.test(t)
		})
	}
}

// TestChecklistIsComplete checks the suite itself: no number is missing.
func TestChecklistIsComplete(t *testing.T) {
	seen := make(map[int]int)
	for _, s := range checklist() {
		seen[s.number]++
	}
	for n := range elsewhere {
		seen[n]++
	}
	for n := 1; n <= statements; n++ {
		if seen[n] != 1 {
			t.Errorf("statement %d is covered %d times, want once", n, seen[n])
		}
	}
	if len(seen) != statements {
		t.Errorf("%d statements, want %d", len(seen), statements)
	}
}
