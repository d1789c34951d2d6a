package admin

import (
	"net/http"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/setting"
)

// A settingView is what is told of a setting, for whoever shows a form of them.
type settingView struct {
	Name    string `json:"name"` // with dots, as in the file
	Kind    string `json:"kind"`
	Default string `json:"default"` // as it would be written; empty if there is none
	Text    string `json:"text"`
}

// listSettings tells what an app and its webhooks can be set to.
func listSettings(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, map[string][]settingView{"app": settingViews(apps.Settings), "webhook": settingViews(apps.WebhookSettings)})
}

func settingViews[T any](table []setting.Setting[T]) []settingView {
	list := make([]settingView, 0, len(table))
	for _, s := range table {
		list = append(list, settingView{s.Name, s.Kind, s.Initial, s.Plain()})
	}
	return list
}
