package apps

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/setting"
)

// SetWebhooks sets all endpoints of a to those of a JSON list, whose elements
// are objects of [WebhookSettings]; null stands for none. Mistakes are named
// webhooks[0].url and so on.
func (a *App) SetWebhooks(value []byte) error {
	var list []Webhook
	var mistakes Mistakes
	if !rawjson.IsNull(value) {
		err := rawjson.Array(value, func(element []byte) {
			w, wrong := readWebhook(element)
			for _, m := range wrong {
				mistakes = append(mistakes, Mistake{fmt.Sprintf("webhooks[%d]%s", len(list), m.Setting), m.Text})
			}
			list = append(list, w)
		})
		if err != nil {
			return Mistakes{{"webhooks", "is not a list of endpoints"}}
		}
	}
	for _, m := range CheckWebhooks(list) {
		mistakes = append(mistakes, Mistake{"webhooks" + m.Setting, m.Text})
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	a.Webhooks = list
	return nil
}

// readWebhook reads one endpoint.
func readWebhook(text []byte) (Webhook, Mistakes) {
	w := NewWebhook()
	var mistakes Mistakes
	err := rawjson.Object(text, func(key, value []byte) {
		name := string(key)
		i := setting.Index(WebhookSettings, name)
		if i < 0 {
			mistakes = append(mistakes, Mistake{"." + name, setting.Unknown(name, setting.Names(WebhookSettings))})
			return
		}
		if err := setWebhook(WebhookSettings[i], &w, value); err != nil {
			mistakes = append(mistakes, Mistake{"." + name, err.Error()})
		}
	})
	switch {
	case err != nil:
		return w, Mistakes{{"", "is not an object of settings"}}
	case w.URL == "" && len(mistakes) == 0:
		mistakes = append(mistakes, Mistake{".url", "is missing"})
	}
	return w, mistakes
}

func setWebhook(s setting.Setting[Webhook], w *Webhook, value []byte) error {
	switch {
	case rawjson.IsNull(value) && s.Initial == "":
		return errors.New("is required")
	case rawjson.IsNull(value):
		s.SetDefault(w)
		return nil
	case s.IsList() && value[0] != '[':
		return errors.New("is not a list")
	case s.Kind == setting.KindBool && value[0] != 't' && value[0] != 'f':
		return errors.New("is neither true nor false")
	case s.Kind == setting.KindText && value[0] != '"':
		return errors.New("is not a string")
	}
	v, err := setting.FromJSON(value)
	if err != nil {
		return err
	}
	return s.Set(w, v)
}

// AppendWebhooks appends the endpoints of a as a JSON list, which
// [App.SetWebhooks] reads back. The values of headers, and what may be secret
// in a URL, are in it only withSecrets.
func (a *App) AppendWebhooks(dst []byte, withSecrets bool) []byte {
	dst = append(dst, '[')
	for i := range a.Webhooks {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for j, s := range WebhookSettings {
			if j > 0 {
				dst = append(dst, ',')
			}
			got := s.Get(&a.Webhooks[i])
			if headers, ok := got.([]Header); ok {
				got = headerLines(headers, withSecrets)
			}
			if s.Name == "url" && !withSecrets {
				got = a.Webhooks[i].Redacted()
			}
			value, err := json.Marshal(setting.ToJSON(got))
			if err != nil {
				panic(fmt.Sprintf("apps: webhooks: %s: %v", s.Name, err))
			}
			dst = append(append(rawjson.AppendString(dst, s.Name), ':'), value...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func headerLines(headers []Header, withSecrets bool) []string {
	lines := []string{}
	for _, h := range headers {
		if withSecrets {
			lines = append(lines, h.Name+": "+h.Value)
		} else {
			lines = append(lines, h.String())
		}
	}
	return lines
}
