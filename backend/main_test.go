package backend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/backend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The credentials of the published vectors.
const (
	testKey    = "278d425bdf160c739803"
	testSecret = "7ad3773142a6692b25b8"
	testMaster = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// vectorTime is when the vectors were signed.
func vectorTime() time.Time { return time.Unix(1353088179, 0) }

// A service is a transport that keeps what is sent and answers as it is told.
type service struct {
	mu       sync.Mutex
	requests []request
	answers  []answer // one each; the last one for all that follow
}

type request struct {
	*http.Request
	body string
}

type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte(nil)
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request{r, string(body)})
	a := answer{status: http.StatusOK, body: "{}"}
	if len(s.answers) > 0 {
		a = s.answers[0]
	}
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{
		StatusCode: a.status, Header: a.header, Request: r,
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

// last is the latest request.
func (s *service) last(t testing.TB) request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("nothing was sent")
	}
	return s.requests[len(s.requests)-1]
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// client is a client of a service for app 3, with the changes of the caller.
func client(t testing.TB, s *service, change ...func(*backend.Config)) *backend.Client {
	t.Helper()
	cfg := backend.Config{
		AppID: "3", Key: testKey, Secret: testSecret, Host: "service.test",
		HTTPClient: &http.Client{Transport: s}, Now: vectorTime,
		EncryptionMasterKeyBase64: testMaster,
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := backend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answers is a service that answers so, the last for ever.
func answers(list ...answer) *service { return &service{answers: list} }

// A vector is one of protocol/testdata.
type vector struct {
	Name, Secret, Method, Path, Body, Text, Signature, Digest string
	Params                                                    [][2]string
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "protocol", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestEveryStatementOfTheChecklistHasATest reads the numbers that comments of
// tests claim to cover.
func TestEveryStatementOfTheChecklistHasATest(t *testing.T) {
	const statements = 80
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[int]bool{}
	claim := regexp.MustCompile(`(?m)^// Covers ([0-9, ]+)\.$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range claim.FindAllStringSubmatch(string(text), -1) {
			for number := range strings.SplitSeq(m[1], ",") {
				n, err := strconv.Atoi(strings.TrimSpace(number))
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				covered[n] = true
			}
		}
	}
	var missing []string
	for n := 1; n <= statements; n++ {
		if !covered[n] {
			missing = append(missing, fmt.Sprint(n))
		}
	}
	if len(missing) > 0 {
		t.Errorf("no test covers %s", strings.Join(missing, ", "))
	}
}

// roundTripper calls before, then lets the service answer.
func roundTripper(before func(), s *service) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		before()
		return s.RoundTrip(r)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
