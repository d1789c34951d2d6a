package service

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the path of the built binary, set by Main before any test runs.
var binary string

// Binary is the path of the binary that Main has built.
func Binary() string { return binary }

// Main is the body of a TestMain: it builds the binary, with the race
// detector if the tests have it, runs the tests, and checks that no goroutine
// is left. It returns the status to exit with.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "belfry-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "belfry")
	args := []string{"build", "-o", binary}
	if Race {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "github.com/belfryhq/belfry/cmd/belfry")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the service: %v\n%s", err, out)
		return 1
	}
	status := m.Run()
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}
