package apps

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

// Changes says which settings of an app differ, for people. Of secrets it has fingerprints,
// and of endpoints the hosts: the rest may be secret.
func Changes(before, after *App) string {
	var list []string
	for _, s := range Settings {
		if old, now := valueText(shown(s, before)), valueText(shown(s, after)); old != now {
			list = append(list, fmt.Sprintf("%s: %s → %s", s.Name, old, now))
		}
	}
	if !sameWebhooks(before.Webhooks, after.Webhooks) {
		hosts := []string{}
		for i := range after.Webhooks {
			hosts = append(hosts, after.Webhooks[i].Host())
		}
		list = append(list, fmt.Sprintf("webhooks: to [%s]", strings.Join(hosts, " ")))
	}
	return strings.Join(list, "; ")
}

// valueText is a setting as JSON has it.
func valueText(v any) string {
	text, err := json.Marshal(setting.ToJSON(v))
	if err != nil {
		panic(fmt.Sprintf("apps: a setting that JSON has no word for: %v", err))
	}
	return string(text)
}
