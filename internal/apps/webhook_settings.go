package apps

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

// WebhookSettings are those of one element of an app's webhooks. The text of a
// mistake in them repeats neither a URL nor a header.
var WebhookSettings = []setting.Setting[Webhook]{
	setting.Row("url", "", setting.KindText,
		"Where the requests go: http or https.",
		setting.Scalar(func(w *Webhook) *string { return &w.URL }, parseWebhookURL)),
	setting.Row("id", `""`, setting.KindText,
		"Names the endpoint in lists and metrics; its queue is kept under that name, also when the URL changes. Without it the name is made of the URL.",
		setting.Scalar(func(w *Webhook) *string { return &w.ID }, parseWebhookID)),
	setting.Row("events", "[]", "list of events",
		"What the endpoint is told of: `channel_occupied`, `channel_vacated` (or both: `channel_existence`), `member_added`, `member_removed` (`presence`), "+
			"`client_event`, `cache_miss`, `subscription_count`. Nothing by default.",
		eventsAccess),
	setting.Row("channel_prefixes", "[]", "list of texts",
		"Tells only of channels whose name begins with one of these. Empty: of all.",
		setting.List(func(w *Webhook) *[]string { return &w.ChannelPrefixes }, parseAffix)),
	setting.Row("channel_prefixes_except", "[]", "list of texts",
		"Does not tell of channels whose name begins with one of these, such as `private-encrypted-`, whatever else chooses them.",
		setting.List(func(w *Webhook) *[]string { return &w.ChannelPrefixesExcept }, parseAffix)),
	setting.Row("channel_suffixes", "[]", "list of texts",
		"Tells only of channels whose name ends with one of these. Empty: of all.",
		setting.List(func(w *Webhook) *[]string { return &w.ChannelSuffixes }, parseAffix)),
	setting.Row("headers", "[]", "list of headers",
		"Sent with each request, as in `Authorization: Bearer abc`. They count as secrets.",
		setting.List(func(w *Webhook) *[]Header { return &w.Headers }, parseHeader)),
	setting.Row("batch", "true", setting.KindBool,
		"Whether events that happen close together share a request. false sends each alone.",
		setting.Scalar(func(w *Webhook) *bool { return &w.Batch }, setting.Bool)),
}

// maxWebhooks bounds what one event of an app can cost.
const maxWebhooks = 20

// NewWebhook returns an endpoint that has every default.
func NewWebhook() Webhook {
	var w Webhook
	for _, s := range WebhookSettings {
		s.SetDefault(&w)
	}
	return w
}

// CheckWebhooks returns what is wrong with the endpoints of one app beside
// each other; Mistake.Setting begins with the element, as in [1].id.
func CheckWebhooks(list []Webhook) Mistakes {
	var mistakes Mistakes
	if len(list) > maxWebhooks {
		mistakes = append(mistakes, Mistake{"", fmt.Sprintf("has %d endpoints; at most %d are allowed", len(list), maxWebhooks)})
	}
	names := make(map[string]int)
	for i := range list {
		w := &list[i]
		if w.URL == "" {
			continue // said already
		}
		if j, twice := names[w.Name()]; twice {
			mistakes = append(mistakes, Mistake{fmt.Sprintf("[%d].id", i),
				fmt.Sprintf("stands for the same endpoint as [%d]; give both an id of their own", j)})
		}
		names[w.Name()] = i
	}
	return mistakes
}

var eventsAccess = setting.Access[Webhook]{
	Set: func(w *Webhook, v setting.Value) error {
		texts := v.List
		if !v.IsList {
			texts = strings.FieldsFunc(v.Text, func(r rune) bool { return r == ',' || r == ' ' })
		}
		var set WebhookEvents
		for _, text := range texts {
			e, err := parseWebhookEvent(text)
			if err != nil {
				return err
			}
			set |= e
		}
		w.Events = set
		return nil
	},
	Get: func(w *Webhook) any { return w.Events.Names() },
}

func parseWebhookEvent(text string) (WebhookEvents, error) {
	if set := eventsNamed(text); set != 0 {
		return set, nil
	}
	_, err := setting.Choice(eventNames()...)(text)
	return 0, err
}

func parseWebhookURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", errors.New("is empty")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", errors.New("is not an address such as https://example.com/hooks")
	case u.Fragment != "":
		return "", errors.New("has a part after #, which is never sent")
	}
	return text, nil
}

func parseWebhookID(text string) (string, error) {
	switch {
	case len(text) > 64:
		return "", errors.New("is longer than 64 characters")
	case strings.ContainsFunc(text, notInPath):
		return "", fmt.Errorf("%q has a character that is not a letter, a digit, a dash, an underscore or a dot", text)
	}
	return text, nil
}

func parseAffix(text string) (string, error) {
	if text == "" {
		return "", errors.New("has an empty element, which would match all channels")
	}
	return text, nil
}

// parseHeader reads a line such as Authorization: Bearer abc. Its errors
// repeat the name at most.
func parseHeader(text string) (Header, error) {
	name, value, ok := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	switch {
	case !ok || !isToken(name):
		return Header{}, errors.New("has an element that is not a header such as Authorization: Bearer abc")
	case reservedHeader(name):
		return Header{}, fmt.Errorf("has %s, which is not for settings to say", name)
	case strings.ContainsFunc(value, notInHeader):
		return Header{}, fmt.Errorf("has a value of %s that can not stand in a header", name)
	}
	return Header{Name: name, Value: value}, nil
}

// isToken reports whether text can be the name of a header (RFC 9110, 5.6.2).
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

func notInHeader(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// sameWebhooks reports whether two apps have the same endpoints.
func sameWebhooks(a, b []Webhook) bool {
	return slices.EqualFunc(a, b, func(v, w Webhook) bool {
		return v.ID == w.ID && v.URL == w.URL && v.Events == w.Events && v.Batch == w.Batch &&
			slices.Equal(v.ChannelPrefixes, w.ChannelPrefixes) && slices.Equal(v.ChannelSuffixes, w.ChannelSuffixes) &&
			slices.Equal(v.ChannelPrefixesExcept, w.ChannelPrefixesExcept) &&
			slices.Equal(v.Headers, w.Headers)
	})
}
