package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fill makes many apps through the admin API, some at a time.
func (r *running) fill(n int) {
	r.t.Helper()
	token, err := os.ReadFile(filepath.Join(r.dir, "belfry-data", "admin-token"))
	if err != nil {
		r.t.Fatal(err)
	}
	ids := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for id := range ids {
				body := fmt.Sprintf(`{"id":"%d","name":"app %d","keys":[{"key":"k%d","secret":"s%d"}]}`, id, id, id, id)
				request, err := http.NewRequest("POST", "http://"+r.admin+"/api/v1/apps", bytes.NewReader([]byte(body)))
				if err != nil {
					r.t.Error(err)
					continue
				}
				request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
				request.Header.Set("Content-Type", "application/json")
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					r.t.Error(err)
					continue
				}
				response.Body.Close()
				if response.StatusCode != http.StatusCreated {
					r.t.Errorf("app %d: %s", id, response.Status)
				}
			}
		})
	}
	for i := range n {
		ids <- i
	}
	close(ids)
	wg.Wait()
}

// resident is how much memory a process has, in bytes.
func (r *running) resident() float64 {
	r.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		r.t.Skipf("the memory of a process is not known here: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return kilobytes * 1024
}

// BenchmarkStart is how long belfry serve takes until it listens, and how much
// memory it has then, by how many apps there are.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			dir := b.TempDir()
			first := serveIn(b, dir)
			began := time.Now()
			first.fill(n)
			created := float64(n) / time.Since(began).Seconds()
			if first.stop() != 0 {
				b.Fatal(first.err)
			}
			var resident float64
			for b.Loop() {
				r := serveIn(b, dir)
				b.StopTimer()
				resident = r.resident()
				r.stop()
				b.StartTimer()
			}
			b.ReportMetric(resident/1e6, "MB")
			b.ReportMetric(created, "created/s")
		})
	}
}

// BenchmarkCreateAndConnect is how long it takes from the command that makes an
// app to the first frame on a connection to it.
func BenchmarkCreateAndConnect(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := serveIn(b, b.TempDir())
			r.fill(n)
			for b.Loop() {
				app := r.create()
				r.connect(app.Keys[0].Key).conn.Close()
			}
		})
	}
}
