package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// A Load is a result of belfry bench.
type Load struct {
	Load          string  `json:"load"`
	Connections   int     `json:"connections"`
	PublishedPerS float64 `json:"published_per_s"`
	DeliveredPerS float64 `json:"delivered_per_s"`
	P50Ms         float64 `json:"p50_ms"`
	P99Ms         float64 `json:"p99_ms"`
	Lost          int64   `json:"lost"`
	CPUMicros     float64 `json:"cpu_us_per_delivery"` // of the service; 0: not known
	FloorMicros   float64 `json:"floor_us"`            // of one bare write to one socket
}

// loads are those of the report: names of belfry bench and what is said to them.
var loads = [][]string{
	{"fan-out", "--connections", "1000", "--rate", "0"},
	{"fan-out", "--connections", "1000", "--rate", "50"},
	{"many-channels", "--connections", "500", "--rate", "0"},
	{"chat", "--connections", "500", "--rate", "0"},
	{"connect", "--connections", "2000"},
}

// serviceStart is how long a service has to begin.
const serviceStart = 30 * time.Second

func (r *runner) performance(c *Column) (list []Load, err error) {
	address, pid := "", 0
	if c.at != nil {
		address = c.at.String()
	} else {
		stop, at, process, err := r.dev()
		if err != nil {
			return nil, err
		}
		defer stop()
		address, pid = at, process
	}
	for _, load := range loads {
		result, err := r.bench(address, pid, load)
		if err != nil {
			return nil, err
		}
		list = append(list, result)
	}
	return list, nil
}

// dev starts a service without limits.
func (r *runner) dev() (stop func(), address string, pid int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", 0, err
	}
	at := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(r.ctx, r.binary, "dev", "--unlimited", "--listen", at, "--admin-listen", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		return nil, "", 0, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	for end := time.Now().Add(serviceStart); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + at + "/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return stop, "http://app-key:app-secret@" + at + "/apps/1", cmd.Process.Pid, nil
			}
		}
		if time.Now().After(end) {
			stop()
			return nil, "", 0, errors.Join(errors.New("belfry dev does not become ready"), err)
		}
	}
}

// bench runs one load.
func (r *runner) bench(address string, pid int, load []string) (Load, error) {
	dir, err := os.MkdirTemp("", "report-")
	if err != nil {
		return Load{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "result.json")
	args := append([]string{"bench"}, load...)
	if load[0] != "connect" {
		args = append(args, "--duration", strconv.Itoa(r.seconds)+"s")
	}
	args = append(args, "--json", file)
	if pid != 0 {
		args = append(args, "--pid", strconv.Itoa(pid))
	}
	cmd := exec.CommandContext(r.ctx, r.binary, args...)
	cmd.Env = append(os.Environ(), "BELFRY_URL="+address)
	said, runErr := cmd.CombinedOutput() // a load with losses has a result too
	text, err := os.ReadFile(file)
	if err != nil {
		return Load{}, fmt.Errorf("belfry bench %s: %w\n%s", load[0], runErr, said)
	}
	return loadOf(load, text)
}

// loadOf reads what belfry bench has written.
func loadOf(load []string, text []byte) (Load, error) {
	var report struct {
		Results []struct {
			Settings struct{ Connections int }
			Setup    struct {
				PerS      float64                    `json:"connections_per_s"`
				ConnectMs struct{ P50, P99 float64 } `json:"connect_ms"`
			}
			PublishedPerS float64                    `json:"published_per_s"`
			DeliveredPerS float64                    `json:"delivered_per_s"`
			LatencyMs     struct{ P50, P99 float64 } `json:"latency_ms"`
			Counted       struct{ Lost int64 }
			Process       *struct {
				PerDelivery float64 `json:"cpu_us_per_delivery"`
			}
			Floor *struct {
				Micros float64 `json:"write_us"`
			}
		}
	}
	if err := json.Unmarshal(text, &report); err != nil || len(report.Results) == 0 {
		return Load{}, fmt.Errorf("the result of belfry bench is not understood: %w", err)
	}
	b := report.Results[0]
	l := Load{
		Load: load[0], Connections: b.Settings.Connections, PublishedPerS: b.PublishedPerS, DeliveredPerS: b.DeliveredPerS,
		P50Ms: b.LatencyMs.P50, P99Ms: b.LatencyMs.P99, Lost: b.Counted.Lost,
	}
	for i, word := range load {
		if word == "--rate" && load[i+1] != "0" {
			l.Load += ", " + load[i+1] + " a second"
		}
	}
	if load[0] == "connect" {
		l.PublishedPerS, l.P50Ms, l.P99Ms = b.Setup.PerS, b.Setup.ConnectMs.P50, b.Setup.ConnectMs.P99
	}
	if b.Process != nil {
		l.CPUMicros = b.Process.PerDelivery
	}
	if b.Floor != nil {
		l.FloorMicros = b.Floor.Micros
	}
	return l, nil
}
