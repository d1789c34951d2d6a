package beams

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/payload"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

const (
	maxDeviceBody = 16 << 10
	// maxSetBody is how large a list of interests may be.
	maxSetBody = 1 << 20
	// maxMetadata is how much a device may say of itself.
	maxMetadata = 2 << 10
	// maxPrevious is how many ids of 2016 a device may have had.
	maxPrevious  = 100
	maxAPNsToken = 400
	maxFCMToken  = 4096
	maxPage      = 100
)

// device answers what follows the instance in the device API.
func (c *call) device() error {
	if wait, ok := c.cfg.Change(c.r); !ok {
		return slower(wait)
	}
	if c.rest == "web-vapid-public-key" {
		return c.vapidKey()
	}
	path, ok := strings.CutPrefix(c.rest, "devices/")
	if !ok {
		return errPath
	}
	name, rest, _ := strings.Cut(path, "/")
	p := notification.Platform(name)
	if !slices.Contains([]notification.Platform{notification.APNs, notification.FCM, notification.Web}, p) {
		return errPath
	}
	if rest == "" {
		return c.register(p)
	}
	id, what, _ := strings.Cut(rest, "/")
	id = pushapi.Unescape(id)
	what, interest, _ := strings.Cut(what, "/")
	switch {
	case what == "":
		return c.one(p, id)
	case what == "interests" && interest == "":
		return c.interests(p, id)
	case what == "interests":
		return c.interest(p, id, pushapi.Unescape(interest))
	case interest != "":
		return errPath
	case what == "metadata":
		return c.metadata(p, id)
	case what == "token":
		return c.token(p, id)
	case what == "user":
		return c.user(p, id)
	}
	return errPath
}

// vapidKey tells browsers what their subscription is bound to.
func (c *call) vapidKey() error {
	if err := c.method(http.MethodGet); err != nil {
		return err
	}
	keys := c.app.VAPIDKeys()
	if len(keys) == 0 {
		return refuse(http.StatusNotFound, "Not found", "This instance does not send to browsers: its setting push.vapid_key is empty.")
	}
	return c.write(map[string]string{"vapidPublicKey": base64.RawURLEncoding.EncodeToString(keys[0].Public)})
}

// registration is the body of a request to register.
type registration struct {
	Token    string          `json:"token"`
	Bundle   string          `json:"bundleIdentifier"`
	Metadata json.RawMessage `json:"metadata"`
	Previous []string        `json:"knownPreviousClientIds"`
}

func (c *call) register(p notification.Platform) error {
	if err := c.method(http.MethodPost); err != nil {
		return err
	}
	if wait, ok := c.cfg.Register(c.r); !ok {
		return slower(wait)
	}
	var q registration
	if err := c.read(maxDeviceBody, &q); err != nil {
		return err
	}
	token, key, err := c.checkToken(p, q.Token)
	if err != nil {
		return err
	}
	if err := checkMetadata(q.Metadata); err != nil {
		return err
	}
	if len(q.Bundle) > 155 {
		return badRequest("bundleIdentifier has more than 155 characters.")
	}
	d, err := c.cfg.Devices.Register(c.r.Context(), c.app.ID, devices.Registration{
		API: notification.Beams, Platform: p, Token: token, Topic: q.Bundle, VAPIDKey: key, Metadata: q.Metadata,
		Previous: q.Previous[:min(len(q.Previous), maxPrevious)], MaxDevices: c.app.Limits.PushDevices,
	})
	if err != nil {
		return err
	}
	return c.write(struct {
		ID        string   `json:"id"`
		Interests []string `json:"initialInterestSet"` // read without a look whether it is there
	}{d.ID, append([]string{}, d.Interests...)})
}

// checkToken checks a token and returns it as it is kept, and the key that it is bound to.
func (c *call) checkToken(p notification.Platform, token string) (kept, vapidKey string, err error) {
	switch p {
	case notification.APNs:
		kept = strings.ToLower(token)
		if _, err := hex.DecodeString(kept); err != nil || kept == "" || len(kept) > maxAPNsToken {
			return "", "", badRequest("The device token is not one of APNs.") // Swift looks for these two words
		}
		return kept, "", nil
	case notification.FCM:
		if token == "" || len(token) > maxFCMToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", "", refuse(http.StatusBadRequest, "InvalidToken", "The token is not one of FCM.") // else Android tries for ever
		}
		return token, "", nil
	}
	return c.checkSubscription(token)
}

// checkSubscription checks the subscription of a browser.
func (c *call) checkSubscription(token string) (kept, vapidKey string, err error) {
	keys := c.app.VAPIDKeys()
	if len(keys) == 0 {
		return "", "", badRequest("This instance does not send to browsers: its setting push.vapid_key is empty.")
	}
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", "", badRequest("The token is not base64 of a PushSubscription.")
	}
	s, err := notification.ParseSubscription(text)
	if err != nil {
		return "", "", badRequest("The token is wrong: %v.", err)
	}
	if !s.HostIn(c.cfg.Hosts) {
		return "", "", badRequest("The endpoint is not at one of the push services that this service sends to; see its setting push.hosts.")
	}
	return s.Token(), keys[0].ID, nil
}

func checkMetadata(text json.RawMessage) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var o map[string]json.RawMessage
	if len(text) > maxMetadata || json.Unmarshal(text, &o) != nil {
		return badRequest("metadata is not an object of at most %d bytes.", maxMetadata)
	}
	return nil
}

// find returns a device of this API and platform.
func (c *call) find(p notification.Platform, id string) (devices.Device, error) {
	d, err := c.cfg.Devices.Get(c.r.Context(), c.app.ID, id)
	if err == nil && (d.API != notification.Beams || d.Platform != p) {
		err = devices.ErrUnknown
	}
	return d, err
}

// one tells of a device, or deletes it.
func (c *call) one(p notification.Platform, id string) error {
	if err := c.method(http.MethodGet, http.MethodDelete); err != nil {
		return err
	}
	d, err := c.find(p, id)
	if c.r.Method == http.MethodDelete {
		if err == nil {
			err = c.cfg.Devices.Delete(c.r.Context(), c.app.ID, id)
		} else if c.internal(c.r, err).status == http.StatusNotFound {
			err = nil // Android tries for ever on anything but success
		}
		return c.done(err)
	}
	if err != nil {
		return err
	}
	about := struct {
		ID       string          `json:"id"`
		User     *string         `json:"userId,omitempty"`
		Metadata json.RawMessage `json:"metadata"`
	}{ID: d.ID, Metadata: d.Metadata}
	if d.User != "" {
		about.User = &d.User
	}
	if len(about.Metadata) == 0 {
		about.Metadata = json.RawMessage("{}")
	}
	return c.write(about)
}

func (c *call) metadata(p notification.Platform, id string) error {
	if err := c.method(http.MethodPut); err != nil {
		return err
	}
	body, err := c.body(maxDeviceBody)
	if err != nil {
		return err
	}
	if err := checkMetadata(body); err != nil {
		return err
	}
	if _, err := c.find(p, id); err != nil {
		return err
	}
	return c.done(c.cfg.Devices.SetMetadata(c.r.Context(), c.app.ID, id, body))
}

func (c *call) token(p notification.Platform, id string) error {
	if err := c.method(http.MethodPut); err != nil {
		return err
	}
	var q registration
	if err := c.read(maxDeviceBody, &q); err != nil {
		return err
	}
	token, key, err := c.checkToken(p, q.Token)
	if err != nil {
		return err
	}
	if _, err := c.find(p, id); err != nil {
		return err
	}
	return c.done(c.cfg.Devices.SetToken(c.r.Context(), c.app.ID, id, token, key))
}

// user makes a device one of the user whom a token is about.
func (c *call) user(p notification.Platform, id string) error {
	if err := c.method(http.MethodPut); err != nil {
		return err
	}
	token, ok := bearer(c.r)
	if !ok {
		return errToken("The header Authorization: Bearer TOKEN is missing or malformed.")
	}
	user, err := userOf(token, c.app.Push.SecretKey, c.app.Push.InstanceID, c.cfg.Now())
	if err != nil {
		return err
	}
	if _, err := c.find(p, id); err != nil {
		return err
	}
	return c.done(c.cfg.Devices.SetUser(c.r.Context(), c.app.ID, id, user))
}

// interests tells the interests of a device page by page, or replaces them.
func (c *call) interests(p notification.Platform, id string) error {
	if err := c.method(http.MethodGet, http.MethodPut); err != nil {
		return err
	}
	if c.r.Method == http.MethodPut {
		return c.setInterests(p, id)
	}
	query, limit := c.r.URL.Query(), maxPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return badRequest("limit is not a number from 1 to %d.", maxPage)
		}
		limit = n
	}
	after := ""
	if cursor := query.Get("cursor"); cursor != "" {
		b, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || !payload.IsInterest(string(b)) {
			return badRequest("cursor is not one that was told before.")
		}
		after = string(b)
	}
	d, err := c.find(p, id)
	if err != nil {
		return err
	}
	from, found := slices.BinarySearch(d.Interests, after)
	if found {
		from++
	}
	list := d.Interests[from:]
	meta := map[string]string{}
	if len(list) > limit {
		list = list[:limit]
		meta["nextCursor"] = base64.RawURLEncoding.EncodeToString([]byte(list[limit-1]))
	}
	return c.write(map[string]any{"interests": append([]string{}, list...), "responseMetadata": meta})
}

func (c *call) setInterests(p notification.Platform, id string) error {
	var q struct {
		Interests *[]string `json:"interests"`
	}
	if err := c.read(maxSetBody, &q); err != nil {
		return err
	}
	if q.Interests == nil {
		return badRequest("interests is missing.")
	}
	if len(*q.Interests) > 0 {
		if _, err := payload.Interests(*q.Interests, devices.MaxInterests); err != nil {
			return badRequest("interests %v.", err)
		}
	}
	if _, err := c.find(p, id); err != nil {
		return err
	}
	return c.done(c.cfg.Devices.SetInterests(c.r.Context(), c.app.ID, id, *q.Interests))
}

// interest subscribes a device to an interest, or ends that.
func (c *call) interest(p notification.Platform, id, interest string) error {
	if err := c.method(http.MethodPost, http.MethodDelete); err != nil {
		return err
	}
	if !payload.IsInterest(interest) {
		return badRequest("The interest is not 1 to 164 of the characters A-Z a-z 0-9 _ - = @ , . ;")
	}
	if _, err := c.find(p, id); err != nil {
		return err
	}
	if c.r.Method == http.MethodDelete {
		return c.done(c.cfg.Devices.Unsubscribe(c.r.Context(), c.app.ID, id, interest))
	}
	return c.done(c.cfg.Devices.Subscribe(c.r.Context(), c.app.ID, id, interest))
}
