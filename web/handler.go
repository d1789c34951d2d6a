package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Config is what a handler is made with. The zero value works.
type Config struct {
	// Path is the prefix in front of the files, which a request may have or
	// not; empty, or with a leading slash.
	Path string
	// HTTPPath is what clients have to give as httpPath. Empty: nothing.
	HTTPPath string
	// Secure reports whether a request came over TLS, to us or to a proxy
	// that we believe. Nil means to us.
	Secure func(*http.Request) bool
}

// A Server serves the client files. It is safe for concurrent use.
type Server struct {
	cfg   Config
	files map[string]*file
}

// A file is ready to be sent.
type file struct {
	body []byte
	etag string

	once sync.Once
	gzip []byte // made when it is first asked for
}

// New returns a server of the embedded files.
func New(cfg Config) *Server {
	if cfg.Secure == nil {
		cfg.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	s := &Server{cfg: cfg, files: make(map[string]*file)}
	for _, name := range names() {
		body, err := dist.ReadFile("dist/" + name)
		if err != nil {
			panic(err) // it was listed, and is in the binary
		}
		s.files[name] = newFile(body)
	}
	s.files[pluginName] = newFile(plugin)
	return s
}

func newFile(body []byte) *file {
	sum := sha256.Sum256(body)
	return &file{body: body, etag: hex.EncodeToString(sum[:12])}
}

// path is {version}/{file}: what pusher-js's loader asks for, and what the
// public service of the files offers.
var path = regexp.MustCompile(`^/+(latest|[0-9]+(?:\.[0-9]+){0,2})/+([a-z0-9.-]+\.[a-z]+)?$`)

// Handler returns what answers r, or nil if the path is none of the package's.
func (s *Server) Handler(r *http.Request) http.Handler {
	asked := "/" + strings.TrimLeft(r.URL.Path, "/")
	parts := path.FindStringSubmatch(strings.TrimPrefix(asked, s.cfg.Path))
	if parts == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, parts[1], parts[2]) })
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, version, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	f := s.files[name]
	switch {
	case name == pluginName && version == "latest":
		f.serve(w, r, maxAge(version))
	case name == "" && served(version, "pusher.js"):
		s.servePage(w, r)
	case f == nil || !served(version, name):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, fmt.Sprintf("there is no %s of version %s here; pusher-js is version %s", name, version, Version()), http.StatusNotFound)
	default:
		f.serve(w, r, maxAge(version))
	}
}

// served reports whether the embedded files may be called by that version.
// What pusher-js loads is the same for all its versions; pusher-js itself is
// called by its version, by that without the last number, or latest.
func served(version, name string) bool {
	if strings.HasPrefix(name, "sockjs.") || strings.HasPrefix(name, "json2.") {
		return true
	}
	if name == pluginName {
		return false // it has no version of pusher-js
	}
	v := Version()
	return version == "latest" || version == v || strings.HasPrefix(v, version+".") && strings.Count(version, ".") == 1
}

// maxAge is how long a file of that version may be used unasked: for ever
// where the version says all.
func maxAge(version string) string {
	if version == Version() {
		return "public, max-age=31536000, immutable"
	}
	if version == "latest" {
		return "public, max-age=300"
	}
	return "public, max-age=86400"
}

func (f *file) serve(w http.ResponseWriter, r *http.Request, caching string) {
	body, etag := f.body, `"`+f.etag+`"`
	h := w.Header()
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	// Pages that check what they load, or are isolated, need both.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if acceptsGzip(r) {
		body, etag = f.compressed(), `"`+f.etag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if hasTag(r, etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // net/http leaves it out for HEAD
}

// compressed returns the file's body, compressed once.
func (f *file) compressed() []byte {
	f.once.Do(func() {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(f.body)
		if err = errors.Join(err, z.Close()); err != nil {
			panic(err) // nothing is written to but memory
		}
		f.gzip = b.Bytes()
	})
	return f.gzip
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return !ok || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// hasTag reports whether the client has the body with that tag already.
func hasTag(r *http.Request, etag string) bool {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == etag {
			return true
		}
	}
	return false
}
