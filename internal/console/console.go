// Package console hands out the web application of the administration port:
// one page under every path below /console/, the files that it loads, and the
// documentation as text.
//
// It tells nobody anything about the service: the page asks the admin API, as
// any other program does. What it may do in a browser is bounded by the
// headers here. The package takes no locks but for compressing each file once.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/belfryhq/belfry/docs"
	"github.com/belfryhq/belfry/web/console"
)

// Path is where the console is, with a slash at its end.
const Path = "/console/"

// policy is what the page may do: load and ask for what comes from this port,
// and make no script of text. (Content Security Policy Level 3, Trusted Types)
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// A handler has the files.
type handler struct {
	page  []byte // without its base
	files map[string]*file
	docs  map[string]*file // pages of the documentation, by their names
	frame []byte           // the page in which pusher-js runs
}

// A file is one that the page loads. Its name changes with what is in it.
type file struct {
	kind string
	body []byte
	gzip func() []byte
	// anyOrigin lets pages of any origin load it, as the frame is one.
	anyOrigin bool
}

// New returns the handler of everything below Path. The diagnostics connect with
// pusherJS.
func New(pusherJS []byte) http.Handler {
	h := &handler{files: make(map[string]*file), docs: make(map[string]*file)}
	files := console.Files()
	page := string(files[console.Page])
	for name, body := range files {
		if name == console.Page {
			continue
		}
		f := newFile(name, body)
		tagged := tagged(name, body)
		page = strings.ReplaceAll(page, `"files/`+name+`"`, `"files/`+tagged+`"`)
		h.files[tagged] = f
	}
	h.page = []byte(page)
	h.openFrame(pusherJS)
	for name, body := range docs.Pages() {
		h.docs[name] = newFile(name, body)
	}
	return h
}

func newFile(name string, body []byte) *file {
	return &file{kind: kinds[path.Ext(name)], body: body, gzip: sync.OnceValue(func() []byte { return compress(body) })}
}

// kinds are what browsers are told of files. The table of the machine may be
// another.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".md":  "text/markdown; charset=utf-8",
	".txt": "text/plain; charset=utf-8",
}

// tagged is the name of a file with what tells its contents from others, so that
// browsers may keep it.
func tagged(name string, body []byte) string {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	below := strings.TrimPrefix(r.URL.EscapedPath(), Path)
	if below == framePath {
		h.serveFrame(w, r)
		return
	}
	name, asset := strings.CutPrefix(below, "files/")
	if !asset {
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Type", "text/html; charset=utf-8")
		send(w, based(h.page, below))
		return
	}
	kept := "public, max-age=31536000, immutable"
	f := h.files[name]
	if doc, ok := strings.CutPrefix(name, "docs/"); ok {
		f, kept = h.docs[doc], "no-cache" // their names do not change with what is in them
	}
	if f == nil {
		header.Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	if f.anyOrigin {
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	header.Set("Cache-Control", kept)
	f.send(w, r)
}

// send hands out the file, compressed where that is understood.
func (f *file) send(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Vary", "Accept-Encoding")
	body := f.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		body = f.gzip()
	}
	send(w, body)
}

func send(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // net/http leaves it out for HEAD
}

// based returns the page as it is under a path below [Path]. It knows where
// the console is relative to itself, so that a proxy may put it below a path
// of its own.
func based(page []byte, below string) []byte {
	base := "./" + strings.Repeat("../", strings.Count(below, "/"))
	return bytes.Replace(page, []byte(`<base href="./">`), []byte(`<base href="`+base+`">`), 1)
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(body)
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		panic(err) // nothing is written to but memory
	}
	return b.Bytes()
}
