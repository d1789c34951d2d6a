package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// App returns the hours from one time to another in which an app was used, the
// oldest first. An hour counts if it begins in that time.
func (r *Recorder) App(ctx context.Context, app string, from, to time.Time) ([]Hour, error) {
	hours := map[hourNumber]*Hour{}
	err := r.read(ctx, from, to, strconv.Itoa(shardOf(app)), func(n hourNumber, apps map[string]counts) {
		c, used := apps[app]
		if !used {
			return
		}
		h := hours[n]
		if h == nil {
			h = &Hour{Hour: n.time()}
			hours[n] = h
		}
		h.add(c)
	})
	if err != nil {
		return nil, err
	}
	list := make([]Hour, 0, len(hours))
	for _, n := range slices.Sorted(maps.Keys(hours)) {
		list = append(list, *hours[n])
	}
	return list, nil
}

// Totals returns what every app that was used in that time used together: the
// peak is the largest of its hours, and the hour is the first.
func (r *Recorder) Totals(ctx context.Context, from, to time.Time) (map[string]Hour, error) {
	byHour := map[hourNumber]map[string]*Hour{} // nodes are added up before the largest is looked for
	err := r.read(ctx, from, to, "*", func(n hourNumber, apps map[string]counts) {
		if byHour[n] == nil {
			byHour[n] = map[string]*Hour{}
		}
		for app, c := range apps {
			h := byHour[n][app]
			if h == nil {
				h = &Hour{Hour: n.time()}
				byHour[n][app] = h
			}
			h.add(c)
		}
	})
	if err != nil {
		return nil, err
	}
	totals := map[string]Hour{}
	for _, n := range slices.Sorted(maps.Keys(byHour)) {
		for app, h := range byHour[n] {
			total, seen := totals[app]
			if !seen {
				totals[app] = *h
				continue
			}
			totals[app] = total.plus(*h)
		}
	}
	return totals, nil
}

// Total is what some hours come to: the peak is the largest of them.
func Total(hours []Hour) Hour {
	var total Hour
	for i, h := range hours {
		if i == 0 {
			total = h
			continue
		}
		total = total.plus(h)
	}
	return total
}

// plus is h and a later hour together.
func (h Hour) plus(later Hour) Hour {
	h.PeakConnections = max(h.PeakConnections, later.PeakConnections)
	h.BackendEvents += later.BackendEvents
	h.ClientEvents += later.ClientEvents
	h.Deliveries += later.Deliveries
	h.Requests += later.Requests
	return h
}

// maxFilters is how many hours are asked for one by one. For more than that,
// everything is read and looked through.
const maxFilters = 100

// read calls each for every value of some hours, of all nodes.
func (r *Recorder) read(ctx context.Context, from, to time.Time, shard string, each func(hourNumber, map[string]counts)) error {
	if err := r.Flush(ctx); err != nil {
		return err
	}
	first, last := r.bounds(from, to)
	if first > last {
		return nil
	}
	filters := []string{"*.*." + shard}
	if last-first < maxFilters {
		filters = filters[:0]
		for n := first; n <= last; n++ {
			filters = append(filters, n.String()+".*."+shard)
		}
	}
	w, err := r.bucket.WatchFiltered(ctx, filters, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer w.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("%w: the watch ended", ErrUnavailable)
			}
			if e == nil {
				return nil
			}
			r.readValue(e, first, last, each)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
}

func (r *Recorder) readValue(e jetstream.KeyValueEntry, first, last hourNumber, each func(hourNumber, map[string]counts)) {
	text, _, _ := strings.Cut(e.Key(), ".")
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (hourNumber(n) < first || hourNumber(n) > last) {
		return
	}
	apps, derr := decode(e.Value())
	if err := errors.Join(err, derr); err != nil {
		r.log.Warn("usage of an hour can not be read", "key", e.Key(), "err", err)
		return
	}
	each(hourNumber(n), apps)
}

// bounds returns the first and the last hour that begin from one time on and
// before another, as far as there can be any.
func (r *Recorder) bounds(from, to time.Time) (first, last hourNumber) {
	now := r.cfg.Now()
	first, last = numberOf(from.Add(time.Hour-1)), numberOf(to.Add(-1))
	return max(first, numberOf(now.Add(-Kept))), min(last, numberOf(now))
}
