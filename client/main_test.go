package client_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// acceptKey is what a WebSocket server makes of the client's key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// TestEveryStatementOfTheChecklistHasATest reads the numbers that comments of
// tests claim to cover: statements of the checklist, and T1 to T90 of the
// fault plan.
func TestEveryStatementOfTheChecklistHasATest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	claim := regexp.MustCompile(`(?m)^// Covers ([T0-9, ]+)\.$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range claim.FindAllStringSubmatch(string(text), -1) {
			for number := range strings.SplitSeq(m[1], ",") {
				covered[strings.TrimSpace(number)] = true
			}
		}
	}
	var missing []string
	for n := 1; n <= 100; n++ {
		if !covered[strconv.Itoa(n)] {
			missing = append(missing, strconv.Itoa(n))
		}
	}
	for _, part := range [][2]int{{1, 40}, {50, 74}, {80, 90}} {
		for n := part[0]; n <= part[1]; n++ {
			if name := fmt.Sprintf("T%d", n); !covered[name] {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("no test covers %s", strings.Join(missing, ", "))
	}
}
