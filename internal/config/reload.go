package config

import (
	"context"
	"os"
	"reflect"
	"slices"
	"time"
)

// live are the settings whose change a reload makes true. All others are as
// they were when the service started.
var live = []string{"max_connections", "connection_attempts_per_minute", "drain_timeout", "reload", "log.level"}

// isLive reports whether a reload makes a change of that setting true.
func isLive(name string) bool { return slices.Contains(live, name) }

// NeedRestart returns the names of the settings that differ in next and that
// only another start makes true.
func (c *Config) NeedRestart(next *Config) []string {
	var list []string
	for _, s := range settings {
		if !isLive(s.Name) && !reflect.DeepEqual(s.Get(c), s.Get(next)) {
			list = append(list, s.Name)
		}
	}
	return list
}

// watchInterval is how often a file is looked at. It is read when it looked
// the same twice, so that one that is being written is not read by half.
const watchInterval = time.Second

// A stamp is what tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	file     os.FileInfo // for its identity: some tools put another file in place
}

func (s stamp) same(t stamp) bool {
	return s.modified.Equal(t.modified) && s.size == t.size && (s.file == nil) == (t.file == nil) &&
		(s.file == nil || os.SameFile(s.file, t.file))
}

// stampOf is that of a file which may not be there.
func stampOf(name string) stamp {
	info, err := os.Stat(name)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), info}
}

// Watch calls changed whenever the file has become another and stays as it
// is for a while, until ctx ends. A file that is not there is no change.
func Watch(ctx context.Context, name string, changed func()) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	known := stampOf(name)
	last := known
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := stampOf(name)
		if now.file != nil && now.same(last) && !now.same(known) {
			known = now
			changed()
		}
		last = now
	}
}
