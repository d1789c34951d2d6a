package acme

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/nats-io/nats.go/jetstream"
)

// Stream is the name of the stream in which certificates, their keys, accounts
// and challenges are kept: the last message of each subject is one file.
const Stream = "belfry_acme"

// Subjects begin with one of these.
const (
	filePrefix = Stream + ".file"
	lockPrefix = Stream + ".lock"
)

// Bounds of the stream. A certificate with its chain has some 4 KiB.
const (
	maxFile  = 64 << 10
	maxFiles = 16 << 20 // of all together
)

// StreamConfig is what the stream has to be. Reads go to its leader: a node
// that has just got the lock must see what the one before it wrote.
func StreamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              Stream,
		Description:       "certificates of the service, from an ACME authority",
		Subjects:          []string{filePrefix + ".>", lockPrefix + ".>"},
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        maxFile,
		MaxBytes:          maxFiles,
		Discard:           jetstream.DiscardNew,
	}
}

// A store is where certmagic keeps its files, in the engine. Its methods are
// those of [certmagic.Storage], and safe for concurrent use.
type store struct {
	*locks
	js     jetstream.JetStream
	stream jetstream.Stream
}

var (
	_ certmagic.Storage   = (*store)(nil)
	_ certmagic.TryLocker = (*store)(nil)
)

func newStore(js jetstream.JetStream, stream jetstream.Stream, lockExpiry time.Duration, log *slog.Logger) *store {
	l := &locks{js: js, stream: stream, node: rand.Text(), lockExpiry: lockExpiry, log: log, held: map[string]*hold{}}
	return &store{locks: l, js: js, stream: stream}
}

// Store writes a file.
func (s *store) Store(ctx context.Context, key string, value []byte) error {
	if len(value) > maxFile/2 {
		return fmt.Errorf("acme: %s has %d bytes, more than the engine keeps", key, len(value))
	}
	_, err := s.js.Publish(ctx, fileSubject(key), value)
	return wrap("write", key, err)
}

// Load reads a file.
func (s *store) Load(ctx context.Context, key string) ([]byte, error) {
	m, err := s.last(ctx, key)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// Stat says when a file was written, and how large it is.
func (s *store) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	m, err := s.last(ctx, key)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key, Modified: m.Time, Size: int64(len(m.Data)), IsTerminal: true}, nil
}

func (s *store) last(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, fileSubject(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		err = fs.ErrNotExist
	}
	return m, wrap("read", key, err)
}

// Delete removes a file, or all files below a folder.
func (s *store) Delete(ctx context.Context, key string) error {
	for _, subject := range []string{fileSubject(key), fileSubject(key) + ".>"} {
		if err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return wrap("remove", key, err)
		}
	}
	return nil
}

// Exists reports whether there is such a file or folder. What can not be read
// does not exist for certmagic; it then finds out when it reads.
func (s *store) Exists(ctx context.Context, key string) bool {
	if _, err := s.Stat(ctx, key); err == nil {
		return true
	}
	names, err := s.List(ctx, key, false)
	return err == nil && len(names) > 0
}

// List names what is in a folder, with folders in it. With recursive it also
// names what is in those.
func (s *store) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	filter := filePrefix + ".>"
	if folder != "" {
		filter = fileSubject(folder) + ".>"
	}
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, wrap("list", folder, err)
	}
	var names []string
	seen := map[string]bool{}
	for subject := range info.State.Subjects {
		for _, name := range entries(fileOf(subject), folder, recursive) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// entries are the names that one file adds to the list of a folder.
func entries(file, folder string, recursive bool) (names []string) {
	rest := file
	if folder != "" {
		rest = strings.TrimPrefix(file, folder+"/")
	}
	begin := len(file) - len(rest)
	for i, c := range rest {
		if c != '/' {
			continue
		}
		names = append(names, file[:begin+i])
		if !recursive {
			return names
		}
	}
	return append(names, file)
}

// fileSubject is the subject of a file or folder: each component is encoded,
// because names have dots.
func fileSubject(key string) string { return filePrefix + "." + subjectOf(key) }

func subjectOf(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(p))
	}
	return strings.Join(parts, ".")
}

// fileOf is the file with a subject.
func fileOf(subject string) string {
	parts := strings.Split(strings.TrimPrefix(subject, filePrefix+"."), ".")
	for i, p := range parts {
		name, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return "" // nobody but Store writes here
		}
		parts[i] = string(name)
	}
	return strings.Join(parts, "/")
}

func wrap(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("acme: %s %s in the engine: %w", verb, key, err)
}
