// Package bundle is the program that builds the console: go generate
// ./web/console runs it. It makes the types of the admin API out of its
// description, and the files in dist/ out of src/ and the packages that
// package-lock.json names. Node is only needed to fetch those (npm ci).
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	watch := flag.Bool("watch", false, "build again whenever a source changes")
	dir := flag.String("dir", ".", "the directory web/console")
	flag.Parse()
	if err := run(*dir, *watch); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(dir string, watch bool) error {
	if err := writeSchema(dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "preact")); err != nil {
		return errors.New("the packages are not there: npm ci --prefix web/console --ignore-scripts")
	}
	if watch {
		return watchSources(dir)
	}
	files, err := build(dir)
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, "dist"), files)
}

// options say how the sources become files. Equal sources make equal bytes.
func options(dir string) api.BuildOptions {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		absolute = dir
	}
	return api.BuildOptions{
		AbsWorkingDir:     absolute,
		EntryPoints:       []string{"src/console.tsx"},
		Outdir:            "dist",
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone, // they are in LICENSES.txt
		LogLevel:          api.LogLevelSilent,
	}
}

// probe is the script of the frame in which the diagnostics run pusher-js. It is no
// module, because a frame that is shut off gets none.
func probe(dir string) api.BuildOptions {
	o := options(dir)
	o.EntryPoints, o.Format = []string{"src/diagnostics/probe.ts"}, api.FormatIIFE
	return o
}

// build returns the files of the console by their names.
func build(dir string) (map[string][]byte, error) {
	result := api.Build(options(dir))
	return finish(dir, result)
}

// finish adds to what was bundled the script of the frame, the page that loads it,
// and the licences.
func finish(dir string, result api.BuildResult) (map[string][]byte, error) {
	frame := api.Build(probe(dir))
	result.OutputFiles = append(result.OutputFiles, frame.OutputFiles...)
	if wrong := append(result.Errors, frame.Errors...); len(wrong) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(wrong, api.FormatMessagesOptions{}), "\n"))
	}
	page, err := os.ReadFile(filepath.Join(dir, "src", "index.html"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"index.html": page}
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	files["LICENSES.txt"], err = licences(dir)
	return files, err
}

// bundled are the packages whose code is in the files.
var bundled = []string{"preact"}

func licences(dir string) ([]byte, error) {
	var b strings.Builder
	for _, name := range bundled {
		text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "LICENSE"))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s\n\n%s\n\n", name, strings.TrimSpace(string(text)))
	}
	return []byte(b.String()), nil
}

// write makes dir have these files and no others.
func write(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return err
		}
		fmt.Printf("web/console/dist/%s: %d bytes\n", name, len(files[name]))
	}
	return nil
}

// watchSources builds whenever a source changes, until the process is stopped.
func watchSources(dir string) error {
	o := options(dir)
	o.Plugins = []api.Plugin{{Name: "write", Setup: func(b api.PluginBuild) {
		b.OnEnd(func(r *api.BuildResult) (api.OnEndResult, error) {
			files, err := finish(dir, *r)
			if err == nil {
				err = write(filepath.Join(dir, "dist"), files)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "bundle:", err)
			}
			return api.OnEndResult{}, nil
		})
	}}}
	context, failure := api.Context(o)
	if failure != nil {
		return failure
	}
	if err := context.Watch(api.WatchOptions{}); err != nil {
		return err
	}
	select {}
}
