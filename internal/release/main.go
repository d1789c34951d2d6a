// Package release is the program that builds what is published of a version:
// make dist runs it. Archives have the binary of one platform, with completions,
// pages of man, an example of a configuration and all licences. Beside them are
// packages for Debian and Red Hat, a bill of materials, checksums and the notes
// of the release.
//
// The same commit gives the same bytes: everything has the time of the commit,
// and nothing the name of a directory. The program takes no locks.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are those that are published.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	version := flag.String("version", "", "the `version`, such as v1.2.3")
	out := flag.String("out", "bin/dist", "the `directory` in which all of it is put; what it had before is removed")
	only := flag.String("platforms", platforms, "a `list` of those to build for")
	flag.Parse()
	r, err := newRelease(ctx, *version, *out, *only)
	if err == nil {
		err = r.build(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// A release is one version that is built. One goroutine uses it.
type release struct {
	version   string // with the leading v
	out       string
	platforms []platform
	time      time.Time // of everything in it
	work      string    // a directory that is removed in the end
	shared    string    // in work: what all archives and packages have
}

// A platform is one that is built for.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// binary is what the program is called there.
func (p platform) binary() string {
	if p.os == "windows" {
		return "belfry.exe"
	}
	return "belfry"
}

// semantic is a version of semver.org, with a leading v.
var semantic = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func newRelease(ctx context.Context, version, out, only string) (*release, error) {
	if version == "" {
		return nil, fmt.Errorf("-version is missing, such as v1.2.3")
	}
	if !semantic.MatchString(version) {
		version = "v0.0.0-g" + version // a commit without a tag, as git describe writes one
	}
	if !semantic.MatchString(version) {
		return nil, fmt.Errorf("-version %s is none, such as v1.2.3", version)
	}
	r := &release{version: version, out: out}
	for name := range strings.SplitSeq(only, ",") {
		system, arch, _ := strings.Cut(name, "/")
		if !slices.Contains(strings.Split(platforms, ","), name) {
			return nil, fmt.Errorf("-platforms: %s is not one of %s", name, platforms)
		}
		r.platforms = append(r.platforms, platform{system, arch})
	}
	var err error
	r.time, err = sourceTime(ctx)
	return r, err
}

// sourceTime is SOURCE_DATE_EPOCH, or else the time of the commit.
func sourceTime(ctx context.Context) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("there is no commit here; set SOURCE_DATE_EPOCH: %w", err)
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %s", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// build makes all of it.
func (r *release) build(ctx context.Context) (err error) {
	if r.work, err = os.MkdirTemp("", "belfry-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.notes(); err != nil {
		return err
	}
	if err := copyFile("packaging/install.sh", filepath.Join(r.out, "install.sh")); err != nil {
		return err
	}
	for _, p := range r.platforms {
		if err := r.compile(ctx, p); err != nil {
			return err
		}
	}
	if err := r.share(ctx); err != nil {
		return err
	}
	for _, p := range r.platforms {
		if err := r.archive(p); err != nil {
			return err
		}
		if p.os == "linux" {
			if err := r.pack(ctx, p); err != nil {
				return err
			}
		}
	}
	if err := r.materials(ctx); err != nil {
		return err
	}
	return r.checksums()
}

// number is the version without the leading v, as names of files have it.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// binary is where the program of a platform is built.
func (r *release) binary(p platform) string { return filepath.Join(r.work, p.String(), p.binary()) }

// run runs a command with further variables, and shows what it says if it
// fails.
func (r *release) run(ctx context.Context, env []string, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), append(env, "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.time.Unix(), 10))...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
