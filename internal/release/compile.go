package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// compile builds the program for a platform.
func (r *release) compile(ctx context.Context, p platform) error {
	fmt.Println("release:", p.os+"/"+p.arch)
	// The oldest processors that Go runs on, whatever this machine prefers.
	env := []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT="}
	return r.run(ctx, env, "go", "build", "-trimpath", "-ldflags", "-s -w -buildid= -X main.version="+r.version, "-o", r.binary(p), "./cmd/belfry")
}

// completions are the scripts for shells, by the names under which shells look
// for them.
var completions = []struct{ shell, name string }{
	{"bash", "belfry.bash"}, {"zsh", "_belfry"}, {"fish", "belfry.fish"}, {"powershell", "belfry.ps1"},
}

// share gathers what all archives and packages have beside the program.
func (r *release) share(ctx context.Context) error {
	r.shared = filepath.Join(r.work, "shared")
	if err := os.MkdirAll(filepath.Join(r.shared, "completions"), 0o755); err != nil {
		return err
	}
	here, err := r.here(ctx)
	if err != nil {
		return err
	}
	for _, c := range completions {
		script, err := r.output(ctx, here, "completion", c.shell)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.shared, "completions", c.name), script, 0o644); err != nil {
			return err
		}
	}
	if err := r.run(ctx, nil, here, "man", filepath.Join(r.shared, "man1")); err != nil {
		return err
	}
	for from, to := range map[string]string{
		"LICENSE": "LICENSE", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "examples/belfry.yaml": "belfry.yaml",
	} {
		if err := copyFile(from, filepath.Join(r.shared, to)); err != nil {
			return err
		}
	}
	return r.licences(ctx)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// here is the program for this machine.
func (r *release) here(ctx context.Context) (string, error) {
	this := platform{runtime.GOOS, runtime.GOARCH}
	for _, p := range r.platforms {
		if p == this {
			return r.binary(p), nil
		}
	}
	return r.binary(this), r.compile(ctx, this)
}
