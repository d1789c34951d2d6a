package apps

import (
	"fmt"
	"net/url"
	"strings"
)

// What stands for secrets in what is told of endpoints: see
// [App.AppendWebhooks].
const (
	hiddenText     = "…"     // the value of a header, and a query
	hiddenPassword = "xxxxx" // as url.URL.Redacted writes it
)

// RestoreHidden completes endpoints that come back as they were told, with what
// was hidden of those before.
//
// A secret is only kept for an endpoint that has scheme, host, port and user of
// the one it belongs to. Otherwise somebody who can not read the secret could
// have it sent to where he can. What stays hidden is a mistake, named as those
// of [CheckWebhooks] are; now is then partly completed.
func RestoreHidden(now, before []Webhook) Mistakes {
	var mistakes Mistakes
	for i := range now {
		w := &now[i]
		old := counterpart(w, before)
		mistake := func(setting, text string) {
			mistakes = append(mistakes, Mistake{fmt.Sprintf("[%d].%s", i, setting), text})
		}
		if u, ok := restoreURL(w.URL, old); ok {
			w.URL = u
		} else {
			mistake("url", "has a hidden password or query; write it out. It is kept only while scheme, host, port and user stay as they are")
		}
		for k, h := range w.Headers {
			if h.Value != hiddenText {
				continue
			}
			value, ok := restoreHeader(w.Headers, k, old)
			if !ok {
				mistake(fmt.Sprintf("headers[%d]", k),
					"the value of "+h.Name+" is hidden; write it out. It is kept only while scheme, host, port and user of the url stay as they are")
			} else if value != hiddenText {
				w.Headers[k].Value = value
			}
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return CheckWebhooks(now) // whose names may be others with the whole URLs
}

// counterpart returns the endpoint whose secrets w may have, or nil: one of
// its name that sends to the same place, or the only one of its address.
func counterpart(w *Webhook, before []Webhook) *Webhook {
	var found *Webhook
	for i := range before {
		old := &before[i]
		if old.Name() == w.Name() && samePlace(old.URL, w.URL) {
			return old
		}
	}
	for i := range before {
		old := &before[i]
		if old.URL != w.URL && old.Redacted() != w.URL {
			continue
		}
		if found != nil {
			return nil // and nobody can say which
		}
		found = old
	}
	return found
}

// samePlace reports whether requests to both URLs go to the same server, as
// the same user.
func samePlace(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && u.Scheme == v.Scheme && u.Hostname() == v.Hostname() &&
		port(u) == port(v) && u.User.Username() == v.User.Username()
}

func port(u *url.URL) string {
	if u.Port() == "" && u.Scheme == "https" {
		return "443"
	}
	if u.Port() == "" {
		return "80"
	}
	return u.Port()
}

// restoreURL returns text with the password and the query that are hidden in
// it, and whether old has all of them.
func restoreURL(text string, old *Webhook) (string, bool) {
	u, err := url.Parse(text)
	if err != nil {
		return text, true // and it is refused as what it is
	}
	password, _ := u.User.Password()
	query, _ := url.QueryUnescape(u.RawQuery)
	if password != hiddenPassword && query != hiddenText {
		return text, true
	}
	if old == nil {
		return text, false
	}
	if text == old.URL || text == old.Redacted() {
		return old.URL, true // to the byte
	}
	from, err := url.Parse(old.URL)
	if err != nil {
		return text, false
	}
	if password == hiddenPassword {
		if _, ok := from.User.Password(); !ok {
			return text, false
		}
		u.User = from.User
	}
	if query == hiddenText {
		if from.RawQuery == "" {
			return text, false
		}
		u.RawQuery = from.RawQuery
	}
	return u.String(), true
}

// restoreHeader returns the value of old for the header at k. Of several of
// one name, the first belongs to the first and so on.
func restoreHeader(headers []Header, k int, old *Webhook) (string, bool) {
	if old == nil {
		return "", false
	}
	before := 0
	for _, h := range headers[:k] {
		if strings.EqualFold(h.Name, headers[k].Name) {
			before++
		}
	}
	for _, h := range old.Headers {
		if !strings.EqualFold(h.Name, headers[k].Name) {
			continue
		}
		if before == 0 {
			return h.Value, true
		}
		before--
	}
	return "", false
}
