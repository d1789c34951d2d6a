package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// nfpm makes packages.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.1"

// pack makes the packages for Debian and Red Hat.
func (r *release) pack(ctx context.Context, p platform) error {
	for _, dir := range []string{r.shared, filepath.Dir(r.binary(p))} { // nfpm takes the times of files
		err := filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(file, r.time, r.time)
		})
		if err != nil {
			return err
		}
	}
	env := []string{"VERSION=" + r.number(), "ARCH=" + p.arch, "BINARY=" + r.binary(p), "SHARED=" + r.shared}
	for _, kind := range []string{"deb", "rpm"} {
		target := filepath.Join(r.out, "belfry_"+r.number()+"_"+p.String()+"."+kind)
		if err := r.run(ctx, env, "go", "run", nfpm, "package", "--config", "packaging/linux/nfpm.yaml", "--packager", kind, "--target", target); err != nil {
			return err
		}
	}
	return nil
}
