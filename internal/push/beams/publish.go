package beams

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/payload"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

const (
	maxInterests     = 100
	maxUsers         = 1000
	maxInterestsBody = 10 << 10
	maxUsersBody     = 200 << 10
)

// bearer is what the Authorization of a request says, and whether it says anything.
func bearer(r *http.Request) (string, bool) {
	kind, secret, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	secret = strings.TrimSpace(secret)
	return secret, ok && strings.EqualFold(kind, "Bearer") && secret != ""
}

// authorize refuses who does not have the secret key.
func (c *call) authorize() error {
	secret, ok := bearer(c.r)
	if !ok {
		return refuse(http.StatusBadRequest, "Incomplete Request", "The header Authorization: Bearer SECRET_KEY is missing.")
	}
	given, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(c.app.Push.SecretKey))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 || c.app.Push.SecretKey == "" {
		return refuse(http.StatusUnauthorized, "Unauthorized", "The secret key is not that of the instance.")
	}
	return nil
}

// admit refuses what is beyond the rate of the app.
func (c *call) admit() error {
	if wait, ok := c.cfg.Admit(c.app); !ok {
		return slower(wait)
	}
	return nil
}

// request is the body of a publish. What is not named is ignored.
type request struct {
	Interests  *[]string       `json:"interests"`
	Users      *[]string       `json:"users"`
	APNs       json.RawMessage `json:"apns"`
	FCM        json.RawMessage `json:"fcm"`
	Web        json.RawMessage `json:"web"`
	WebhookURL string          `json:"webhookUrl"`
}

// publish answers what follows the instance in the publish API.
func (c *call) publish() error {
	limit := int64(maxInterestsBody)
	switch c.rest {
	case "publishes", "publishes/interests":
	case "publishes/users":
		limit = maxUsersBody
	default:
		return errPath
	}
	if err := c.method(http.MethodPost); err != nil {
		return err
	}
	if err := c.authorize(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	body, err := c.body(limit)
	if err != nil {
		return err
	}
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return unprocessable("%s", wrongType(err))
	}
	p, err := c.check(&q, limit == maxUsersBody)
	if err != nil {
		return err
	}
	if q.WebhookURL != "" {
		p.Callback = notification.Callback{URL: q.WebhookURL, Request: body}
	}
	if err := c.cfg.Publish.Publish(c.r.Context(), p); err != nil {
		return err
	}
	return c.write(struct {
		ID string `json:"publishId"`
	}{p.ID})
}

// check checks a request as a whole.
func (c *call) check(q *request, toUsers bool) (*notification.Publish, error) {
	now := c.cfg.Now()
	p := &notification.Publish{ID: payload.NewID(c.app.Push.SecretKey, now), App: c.app.ID, API: notification.Beams, Accepted: now}
	var err error
	if toUsers {
		p.Audience.Users, err = q.users()
	} else {
		p.Audience.Interests, err = q.interests()
	}
	if err != nil {
		return nil, err
	}
	if q.WebhookURL != "" {
		if u, err := url.Parse(q.WebhookURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, unprocessable("webhookUrl is not a URL of http or https.")
		}
	}
	make := payload.Request{
		APNs: q.APNs, FCM: q.FCM, Web: q.Web, API: notification.Beams,
		InstanceID: c.app.Push.InstanceID, PublishID: p.ID, Accepted: now,
	}
	p.Notifications, err = make.Notifications()
	if e, ok := errors.AsType[*payload.Mistake](err); ok {
		return nil, unprocessable("%s", e.Error()+".")
	}
	if err != nil {
		return nil, err
	}
	if len(p.Notifications) == 0 {
		return nil, unprocessable("There is nothing for any platform: give at least one of apns, fcm and web.")
	}
	return p, nil
}

func (q *request) interests() ([]string, error) {
	switch {
	case q.Users != nil:
		return nil, unprocessable("This path is for interests; publish to users at publishes/users.")
	case q.Interests == nil:
		return nil, unprocessable("interests is missing.")
	}
	list, err := payload.Interests(*q.Interests, maxInterests)
	if err != nil {
		return nil, unprocessable("interests %v.", err)
	}
	return list, nil
}

func (q *request) users() ([]string, error) {
	switch {
	case q.Interests != nil:
		return nil, unprocessable("This path is for users; publish to interests at publishes/interests.")
	case q.Users == nil || len(*q.Users) == 0:
		return nil, unprocessable("users is missing or empty.")
	case len(*q.Users) > maxUsers:
		return nil, unprocessable("users has %d elements, at most %d are allowed.", len(*q.Users), maxUsers)
	}
	for _, user := range *q.Users {
		if !isUser(user) {
			return nil, unprocessable("users has an id that is not 1 to %d characters.", payload.MaxName)
		}
	}
	set := slices.Clone(*q.Users)
	slices.Sort(set)
	return slices.Compact(set), nil
}

// isUser reports whether a user may have an id.
func isUser(id string) bool {
	return id != "" && utf8.ValidString(id) && utf8.RuneCountInString(id) <= payload.MaxName
}

// customer answers what follows the instance in the customer API: users are deleted.
func (c *call) customer() error {
	text, ok := strings.CutPrefix(c.rest, "users/")
	if !ok || text == "" {
		return errPath
	}
	if err := c.method(http.MethodDelete); err != nil {
		return err
	}
	if err := c.authorize(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	user := pushapi.Unescape(text)
	if spaced := strings.ReplaceAll(text, "+", " "); spaced != text && !c.cfg.Devices.HasUser(c.app.ID, user) {
		user = pushapi.Unescape(spaced) // some libraries encode it like a form
	}
	if !isUser(user) {
		return badRequest("The user id is not 1 to %d characters.", payload.MaxName)
	}
	_, err := c.cfg.Devices.DeleteUser(c.r.Context(), c.app.ID, user)
	return c.done(err)
}
