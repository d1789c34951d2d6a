// Package terminal knows who reads what a command prints, what they can type, and
// how their browser is opened.
// It takes no locks and keeps nothing.
package terminal

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// Is reports whether a person reads what is written there.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nowhere, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, nowhere)
}

// Invocation is what the person who started this process can type to run it
// once more: belfry is not in the path of everybody.
func Invocation() string {
	own, err := os.Executable()
	if err != nil {
		return "belfry"
	}
	if found, err := exec.LookPath("belfry"); err == nil && sameFile(found, own) {
		return "belfry"
	}
	if strings.HasPrefix(own, os.TempDir()) && strings.Contains(own, string(filepath.Separator)+"go-build") {
		return goRun()
	}
	if strings.ContainsAny(os.Args[0], " '\"$") {
		return `"` + os.Args[0] + `"`
	}
	return os.Args[0]
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// goRun is how the go command runs this program.
func goRun() string {
	if _, err := os.Stat("cmd/belfry/main.go"); err == nil {
		return "go run ./cmd/belfry"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "belfry"
	}
	if info.Main.Sum != "" { // it was downloaded
		return "go run " + info.Path + "@" + info.Main.Version
	}
	return "go run " + info.Path
}

// OpenBrowser opens an address as the desktop does.
func OpenBrowser(ctx context.Context, address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.CommandContext(ctx, name, args...).Run()
}
