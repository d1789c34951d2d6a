package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An entry is one file of an archive.
type entry struct {
	name string // in the archive
	file string
	mode fs.FileMode
}

// archive puts the program of a platform and what all share into an archive:
// tar.gz, and zip for Windows.
func (r *release) archive(p platform) error {
	top := "belfry_" + r.number() + "_" + p.String()
	entries := []entry{{top + "/" + p.binary(), r.binary(p), 0o755}}
	err := filepath.WalkDir(r.shared, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.shared, file)
		entries = append(entries, entry{path.Join(top, filepath.ToSlash(name)), file, 0o644})
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	write, suffix := writeTar, ".tar.gz"
	if p.os == "windows" {
		write, suffix = writeZip, ".zip"
	}
	f, err := os.Create(filepath.Join(r.out, top+suffix))
	if err != nil {
		return err
	}
	return errors.Join(write(f, entries, r.time), f.Close())
}

func writeTar(w io.Writer, entries []entry, modified time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, e := range entries {
		err := e.copy(func(size int64) (io.Writer, error) {
			return t, t.WriteHeader(&tar.Header{
				Typeflag: tar.TypeReg, Name: e.name, Size: size, Mode: int64(e.mode), ModTime: modified, Format: tar.FormatUSTAR,
			})
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func writeZip(w io.Writer, entries []entry, modified time.Time) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: modified}
		header.SetMode(e.mode)
		if err := e.copy(func(int64) (io.Writer, error) { return z.CreateHeader(header) }); err != nil {
			return err
		}
	}
	return z.Close()
}

// copy writes the file of an entry to what begin returns for its size.
func (e entry) copy(begin func(size int64) (io.Writer, error)) error {
	f, err := os.Open(e.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w, err := begin(info.Size())
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// checksums writes SHA-256 sums of everything that is published, as sha256sum
// checks them.
func (r *release) checksums() error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, f := range files {
		if f.Name() == notesName {
			continue
		}
		sum := sha256.New()
		if err := (entry{file: filepath.Join(r.out, f.Name())}).copy(func(int64) (io.Writer, error) { return sum, nil }); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sum.Sum(nil), f.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "checksums.txt"), []byte(list.String()), 0o644)
}
