package usage

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"
)

// shardCount is over how many values the apps of one hour are spread, so that
// a value stays far below what the engine takes, with a hundred thousand apps too.
const shardCount = 16

// shardOf is where an app is counted. It must never change.
func shardOf(app string) int {
	h := fnv.New32a()
	h.Write([]byte(app))
	return int(h.Sum32() % shardCount)
}

// A shard is a share of the apps that were used within one hour.
type shard struct {
	apps  map[string]*counts
	dirty bool // not written as it is
}

// counts is what one app used within one hour: peak, backend events, client
// events, deliveries, requests. It stands so in the bucket, where an earlier
// revision has left requests out.
type counts [5]uint64

// add counts s and reports whether that changed anything.
func (c *counts) add(s Sample) bool {
	before := *c
	c[0] = max(c[0], uint64(s.PeakConnections))
	c[1] += s.BackendEvents
	c[2] += s.ClientEvents
	c[3] += s.Deliveries
	c[4] += s.Requests
	return *c != before
}

func (h *Hour) add(c counts) {
	h.PeakConnections += int(c[0])
	h.BackendEvents += c[1]
	h.ClientEvents += c[2]
	h.Deliveries += c[3]
	h.Requests += c[4]
}

func encode(apps map[string]*counts) []byte {
	b, err := json.Marshal(apps)
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	return b
}

func decode(b []byte) (map[string]counts, error) {
	var apps map[string]counts
	if err := json.Unmarshal(b, &apps); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return apps, nil
}

// An hourNumber is hours since 1970.
type hourNumber int64

func numberOf(t time.Time) hourNumber { return hourNumber(t.Unix() / 3600) }

func (n hourNumber) time() time.Time { return time.Unix(int64(n)*3600, 0).UTC() }

func (n hourNumber) String() string { return strconv.FormatInt(int64(n), 10) }

// key is where a share of an hour stands in the bucket.
func (r *Recorder) key(n hourNumber, shard int) string {
	return n.String() + "." + r.cfg.Node + "." + strconv.Itoa(shard)
}
