package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// cyclonedx writes bills of materials of Go programs.
const cyclonedx = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// materials writes what the program is made of, for those who look for known
// vulnerabilities: modules of Go, and the packages of npm that browsers get.
func (r *release) materials(ctx context.Context) error {
	file := filepath.Join(r.out, "belfry_"+r.number()+"_sbom.cdx.json")
	if err := r.run(ctx, nil, "go", "run", cyclonedx, "bin", "-json", "-noserial", "-notimestamp", "-licenses", "-std", "-version", r.version, "-output", file, r.binary(r.platforms[0])); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var bill map[string]any
	if err := json.Unmarshal(text, &bill); err != nil {
		return fmt.Errorf("the bill of materials: %w", err)
	}
	components, _ := bill["components"].([]any)
	for _, dir := range []string{"web", "web/console"} {
		more, err := npmComponents(dir)
		if err != nil {
			return err
		}
		components = append(components, more...)
	}
	bill["components"] = components
	text, err = json.MarshalIndent(bill, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// npmComponents are the packages of npm whose files are in the program: those
// that package-lock.json names and that are not for development alone.
func npmComponents(dir string) ([]any, error) {
	name := filepath.Join(dir, "package-lock.json")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version string
			License string
			Dev     bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var list []any
	for place, p := range lock.Packages {
		_, npm, ok := strings.Cut(place, "node_modules/")
		if !ok || p.Dev {
			continue
		}
		purl := "pkg:npm/" + strings.Replace(npm, "@", "%40", 1) + "@" + p.Version
		component := map[string]any{"bom-ref": purl, "type": "library", "name": npm, "version": p.Version, "purl": purl, "scope": "required"}
		if p.License != "" {
			component["licenses"] = []any{map[string]any{"license": map[string]any{"id": p.License}}}
		}
		list = append(list, component)
	}
	slices.SortFunc(list, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["purl"].(string), b.(map[string]any)["purl"].(string))
	})
	return list, nil
}

// A module is one that the program is made of, as go list tells it.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// licences writes the licences of all modules that some platform's program is
// made of, and those of the files for browsers, into THIRD_PARTY.txt.
func (r *release) licences(ctx context.Context) error {
	modules := map[string]module{}
	for _, p := range r.platforms {
		command := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "./cmd/belfry")
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
		out, err := command.Output()
		if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if fields := strings.Fields(line); len(fields) == 3 {
				modules[fields[0]] = module{Path: fields[0], Version: fields[1], Dir: fields[2]}
			}
		}
	}
	root, err := r.output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	list := []module{{Path: "the Go standard library", Dir: strings.TrimSpace(string(root))}}
	for _, m := range modules {
		list = append(list, m)
	}
	slices.SortFunc(list[1:], func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	var text bytes.Buffer
	text.WriteString("Belfry contains the following software, under these licences.\n")
	for _, m := range list {
		if err := m.licence(&text); err != nil {
			return err
		}
	}
	for _, file := range []string{"web/dist/LICENSE.txt", "web/console/dist/LICENSES.txt"} {
		licence, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "\n%s\nThe files for browsers, %s\n\n%s", strings.Repeat("=", 80), file, licence)
	}
	return os.WriteFile(filepath.Join(r.shared, "THIRD_PARTY.txt"), text.Bytes(), 0o644)
}

// licence writes the licence files of a module.
func (m module) licence(text *bytes.Buffer) error {
	fmt.Fprintf(text, "\n%s\n%s\n", strings.Repeat("=", 80), strings.TrimSpace(m.Path+" "+m.Version))
	files, err := os.ReadDir(m.Dir)
	if err != nil {
		return err
	}
	found := 0
	for _, f := range files {
		upper := strings.ToUpper(f.Name())
		if f.IsDir() || !strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "NOTICE") && !strings.HasPrefix(upper, "COPYING") {
			continue
		}
		licence, err := os.ReadFile(filepath.Join(m.Dir, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(text, "\n%s", licence)
		found++
	}
	if found == 0 {
		return fmt.Errorf("there is no licence in %s: say in internal/release where that of %s is", m.Dir, cmp.Or(m.Path, "it"))
	}
	return nil
}

// output is what a command writes.
func (r *release) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}
