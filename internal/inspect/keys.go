package inspect

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/keyuse"
)

// A keyView is how a key of an app is used.
type keyView struct {
	Key  string       `json:"key"`
	Last *time.Time   `json:"last,omitempty"` // absent if no node has seen a use
	Hour uint64       `json:"last_hour"`
	Uses []keyuse.Use `json:"uses"`
}

// complete sums up the uses.
func (v *keyView) complete() {
	slices.SortFunc(v.Uses, func(x, y keyuse.Use) int {
		return cmp.Or(cmp.Compare(y.Hour, x.Hour), y.Last.Compare(x.Last), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.By, y.By))
	})
	v.Hour, v.Last = 0, nil
	for i := range v.Uses {
		u := &v.Uses[i]
		v.Hour += u.Hour
		if v.Last == nil || u.Last.After(*v.Last) {
			v.Last = &u.Last
		}
	}
}

// merge puts what another node has seen to it.
func (v *keyView) merge(uses []keyuse.Use) {
	for _, u := range uses {
		i := slices.IndexFunc(v.Uses, func(have keyuse.Use) bool { return have.Kind == u.Kind && have.By == u.By })
		if i < 0 {
			v.Uses = append(v.Uses, u)
			continue
		}
		have := &v.Uses[i]
		have.Hour += u.Hour
		if u.Last.After(have.Last) {
			have.Last = u.Last
		}
	}
}

func (a *API) localKeyUses(_ *http.Request, app *apps.App) (any, error) {
	list := []keyView{}
	for _, k := range app.Keys {
		v := keyView{Key: k.Key, Uses: []keyuse.Use{}}
		if a.cfg.KeyUses != nil {
			v.Uses = append(v.Uses, a.cfg.KeyUses.Uses(app.ID, k.Key)...)
		}
		list = append(list, v)
	}
	return list, nil
}

func (a *API) listKeyUses(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	lists, nodes, err := everywhere[[]keyView](a, r, app, "/key-uses", a.localKeyUses)
	if err != nil {
		return err
	}
	keys := lists[0]
	for i := range keys {
		for _, list := range lists[1:] {
			for _, v := range list {
				if v.Key == keys[i].Key {
					keys[i].merge(v.Uses)
				}
			}
		}
		keys[i].complete()
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At    time.Time  `json:"at"`
		Keys  []keyView  `json:"keys"`
		Nodes []nodeView `json:"nodes"`
	}{time.Now().UTC(), keys, nodes})
}
