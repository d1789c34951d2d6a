package webhook

// appsShare is which part of what may wait for the engine is for one app: with
// more of it, the app is held, so that it does not hold up the others.
const appsShare = 4

// shareOf is how many events, and bytes, one app may have waiting.
func (r *recorder) shareOf() (events, bytes int) {
	return r.sender.cfg.MaxPending / appsShare, maxPendingBytes / appsShare
}

// fullLocked reports whether so much waits that the node is to be held, or with
// part 2 whether more than half of that does. r.mu is held.
func (r *recorder) fullLocked(part int) bool {
	events, bytes := r.shareOf()
	return r.counted >= appsShare*events/part || r.countedBytes >= appsShare*bytes/part
}

// A share is what of one app the engine does not have yet. The recorder's lock
// guards it.
type share struct {
	app    string
	events int
	bytes  int
	held   bool
	told   bool // that it is held, since it was empty
}

// shareLocked returns the share of an app, which it makes on first use. r.mu is
// held.
func (r *recorder) shareLocked(app string) *share {
	s := r.shares[app]
	if s == nil {
		s = &share{app: app}
		r.shares[app] = s
	}
	return s
}

// changeLocked changes a share, and what counts towards the node's bound: what
// is more than an app may have concerns that app alone. r.mu is held.
func (r *recorder) changeLocked(s *share, events, bytes int) {
	most, mostBytes := r.shareOf()
	r.counted -= min(s.events, most)
	r.countedBytes -= min(s.bytes, mostBytes)
	s.events += events
	s.bytes += bytes
	r.counted += min(s.events, most)
	r.countedBytes += min(s.bytes, mostBytes)
}

// growLocked adds to a share, and holds the app if that is too much. r.mu is held.
func (r *recorder) growLocked(s *share, events, bytes int) {
	r.changeLocked(s, events, bytes)
	most, mostBytes := r.shareOf()
	if s.held || s.events <= most && s.bytes <= mostBytes {
		return
	}
	s.held = true
	if gate := r.sender.cfg.Gate; gate != nil {
		gate.HoldOwner(s.app)
	}
	r.sender.metrics.appsHeld.Inc()
	if s.told {
		return // it goes to and fro
	}
	s.told = true
	r.sender.log.Warn("webhooks of an app wait for the engine; its clients are not read meanwhile", "app", s.app, "events", s.events)
}

// shrinkLocked takes from a share, and releases the app when half of it is left.
// r.mu is held.
func (r *recorder) shrinkLocked(s *share, events, bytes int) {
	r.changeLocked(s, -events, -bytes)
	most, mostBytes := r.shareOf()
	if s.held && s.events <= most/2 && s.bytes <= mostBytes/2 {
		r.releaseAppLocked(s)
	}
	if s.events > 0 {
		return
	}
	if s.told = false; r.apps[s.app] == nil {
		delete(r.shares, s.app)
	}
}

// releaseAppLocked lets an app go on. r.mu is held.
func (r *recorder) releaseAppLocked(s *share) {
	s.held = false
	if gate := r.sender.cfg.Gate; gate != nil {
		gate.ReleaseOwner(s.app)
	}
	r.sender.metrics.appsHeld.Dec()
}

// releaseAllLocked lets everything go on, since the process ends. r.mu is held.
func (r *recorder) releaseAllLocked() {
	for _, s := range r.shares {
		if s.held {
			r.releaseAppLocked(s)
		}
	}
	if r.held {
		r.releaseLocked()
	}
}
