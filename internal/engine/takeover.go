package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// takenOver is what the directory of a server that was alone is called
	// once the cluster has what was in it.
	takenOver = directory + ".imported"
	// progressFile is in that directory before, and says how much it has.
	progressFile = "import.json"
	// batchSize is how many messages are on their way to the cluster at once.
	batchSize = 256
)

// A takeover hands on to the cluster what a server that was alone has kept.
// All of it can be done again: what the cluster has is not written twice.
type takeover struct {
	engine *Engine
	dir    string
	from   jetstream.JetStream
	to     jetstream.JetStream
	passed map[string]uint64 // through which number each stream is in the cluster
}

// importAlone gives the cluster what this node kept when it was alone, and
// puts the directory away.
func (e *Engine) importAlone(ctx context.Context) error {
	if e.cfg.DataDir == "" {
		return nil
	}
	dir := filepath.Join(e.cfg.DataDir, directory)
	if _, err := os.Stat(filepath.Join(dir, natsserver.JetStreamStoreDir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := e.importFrom(ctx, dir); err != nil {
		return fmt.Errorf("engine: import what the node kept while it was alone: %w", err)
	}
	target := filepath.Join(e.cfg.DataDir, takenOver)
	for n := 2; ; n++ {
		if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
			break
		}
		target = filepath.Join(e.cfg.DataDir, takenOver+"."+strconv.Itoa(n))
	}
	if err := os.Rename(dir, target); err != nil {
		return fmt.Errorf("engine: put the old directory away: %w", err)
	}
	e.log.Info("the cluster has what the node kept while it was alone; the old directory can be removed", "dir", target)
	return nil
}

func (e *Engine) importFrom(ctx context.Context, dir string) (err error) {
	l, err := acquire(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	s, err := e.run(e.aloneOptions(dir), &insideOnly{})
	if err != nil {
		return err
	}
	defer shutdown(s)
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return err
	}
	defer conn.Close()
	t := &takeover{engine: e, dir: dir, passed: map[string]uint64{}}
	if t.from, err = jetstream.New(conn); err != nil {
		return err
	}
	if t.to, err = jetstream.New(e.conn, jetstream.WithPublishAsyncMaxPending(2*batchSize), jetstream.WithPublishAsyncTimeout(attemptTimeout)); err != nil {
		return err
	}
	if text, err := os.ReadFile(filepath.Join(dir, progressFile)); err == nil {
		if err := json.Unmarshal(text, &t.passed); err != nil {
			return fmt.Errorf("%s: %w", progressFile, err)
		}
	}
	streams := t.from.ListStreams(ctx)
	for info := range streams.Info() {
		if err := t.stream(ctx, info); err != nil {
			return fmt.Errorf("stream %s: %w", info.Config.Name, err)
		}
	}
	return streams.Err()
}

// stream copies all messages of one stream.
func (t *takeover) stream(ctx context.Context, info *jetstream.StreamInfo) error {
	name := info.Config.Name
	there := true // and then it stays as it is there
	err := t.engine.insist(ctx, func(ctx context.Context) error {
		_, err := t.to.Stream(ctx, name)
		if there = !errors.Is(err, jetstream.ErrStreamNotFound); !there {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if !there {
		if _, err := t.engine.Stream(ctx, info.Config); err != nil {
			return err
		}
	}
	source, err := t.from.Stream(ctx, name)
	if err != nil {
		return err
	}
	t.engine.log.Info("importing what the node kept while it was alone", "stream", name, "messages", info.State.Msgs)
	next := max(info.State.FirstSeq, t.passed[name]+1)
	for next <= info.State.LastSeq {
		if next, err = t.batch(ctx, source, next, info.State.LastSeq); err != nil {
			return err
		}
		if err := t.remember(name, next-1); err != nil {
			return err
		}
	}
	return nil
}

// batch copies messages from number next on, and returns the number that
// follows the last one.
func (t *takeover) batch(ctx context.Context, source jetstream.Stream, next, last uint64) (uint64, error) {
	var batch []*nats.Msg
	for len(batch) < batchSize && next <= last {
		m, err := source.GetMsg(ctx, next)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return next, err
		}
		next++
		if err != nil {
			continue
		}
		if out, wanted := t.copyOf(source, m); wanted {
			batch = append(batch, out)
		}
	}
	return next, retry.Retry(ctx, func() (again bool, err error) {
		if err = t.send(batch); err != nil {
			t.engine.log.Warn("the cluster does not take what the node kept while it was alone; trying again", "err", err)
		}
		return err != nil, err
	})
}

// send returns when the cluster has all messages of a batch, or an error.
func (t *takeover) send(batch []*nats.Msg) error {
	var sent []jetstream.PubAckFuture
	for _, m := range batch {
		future, err := t.to.PublishMsgAsync(m)
		if err != nil {
			return err
		}
		sent = append(sent, future)
	}
	var first error
	for _, future := range sent {
		select {
		case <-future.Ok():
		case err := <-future.Err(): // after attemptTimeout at the latest
			if !isThere(err) && first == nil {
				first = err
			}
		}
	}
	return first
}

// copyOf is the message for the cluster. Of a bucket, a key that was deleted
// is not wanted, and one that the cluster has stays as it is there.
func (t *takeover) copyOf(source jetstream.Stream, m *jetstream.RawStreamMsg) (*nats.Msg, bool) {
	out := &nats.Msg{Subject: m.Subject, Header: nats.Header{}, Data: m.Data}
	for key, values := range m.Header {
		if !strings.HasPrefix(key, "Nats-Expected-") { // which was true there and then
			out.Header[key] = values
		}
	}
	name := source.CachedInfo().Config.Name
	if strings.HasPrefix(name, bucketStream) {
		out.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
		return out, m.Header.Get("KV-Operation") == "" && m.Header.Get(jetstream.MarkerReasonHeader) == ""
	}
	if out.Header.Get(jetstream.MsgIDHeader) == "" {
		out.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("import-%s-%s-%d", t.engine.cfg.Cluster.Name, name, m.Sequence))
	}
	return out, true
}

// isThere reports whether an error says that the cluster has the key.
func isThere(err error) bool {
	return hasCode(err, natsserver.JSStreamWrongLastSequenceErrF, natsserver.JSStreamWrongLastSequenceConstantErr)
}

// remember keeps how far a stream is, in case that the process ends.
func (t *takeover) remember(name string, through uint64) error {
	t.passed[name] = through
	text, err := json.Marshal(t.passed)
	if err != nil {
		return err
	}
	file := filepath.Join(t.dir, progressFile)
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
