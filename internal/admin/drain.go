package admin

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A drain is how far the end of the process is.
type drain struct {
	begin    func()
	progress func() (draining bool, connections int)
	since    time.Time   // when the process was started, which tells it from the one that replaces it
	asked    atomic.Bool // over the API
}

var errNoDrain = jsonhttp.Refuse(http.StatusNotFound, "This node can not be drained over the API; send it SIGTERM.")

// show tells how far it is.
func (d *drain) show(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	return d.answer(w, http.StatusOK)
}

// start begins to drain and to end. To ask again does no harm.
func (d *drain) start(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if d.begin == nil {
		return errNoDrain
	}
	if err := jsonhttp.Read(r, &struct{}{}); err != nil {
		return err
	}
	if !d.asked.Swap(true) {
		d.begin()
	}
	return d.answer(w, http.StatusAccepted)
}

func (d *drain) answer(w http.ResponseWriter, status int) error {
	if d.begin == nil {
		return errNoDrain
	}
	a := struct {
		Draining    bool      `json:"draining"`
		Connections int       `json:"connections"`
		Since       time.Time `json:"since"`
	}{Draining: d.asked.Load(), Since: d.since}
	if d.progress != nil {
		draining, connections := d.progress()
		a.Draining, a.Connections = a.Draining || draining, connections
	}
	return jsonhttp.Write(w, status, a)
}
