package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serverAPI is in front of the paths of the push API of 2016.
const serverAPI = "/server_api/v1"

// A Notification is what [Client.Notify] sends to the devices of interests, by the push
// API of 2016: up to ten interests, and something for at least one platform. Each
// platform's part is a struct of this package, or what becomes such JSON.
type Notification struct {
	APNs any // for Apple: an [APNsMessage], or nil
	GCM  any // for Android: an [FCMMessage] as backends of 2016 name it, or nil
	FCM  any // for Android: an [FCMMessage], or nil

	// WebhookURL is told what became of the notification, if it is not empty.
	WebhookURL string
	// WebhookLevel is INFO, what the backend can do something about, or DEBUG, all.
	// Empty means INFO.
	WebhookLevel string
}

// An APNsMessage is what Apple's devices get.
type APNsMessage struct {
	APS  map[string]any `json:"aps"`            // alert, badge, sound and so on
	Data map[string]any `json:"data,omitempty"` // for the app

	CollapseID string `json:"collapse_id,omitempty"` // one of these replaces the one before; 64 bytes at most
	Expiration *int64 `json:"expiration,omitempty"`  // Unix seconds; 0: tried once; nil: as Apple likes
	Priority   int    `json:"priority,omitempty"`    // 5 or 10; 0: what fits
}

// An FCMMessage is what Android's devices get.
type FCMMessage struct {
	Notification map[string]string `json:"notification,omitempty"` // title, body, icon and so on
	Data         map[string]any    `json:"data,omitempty"`         // for the app

	CollapseKey string `json:"collapse_key,omitempty"`
	Priority    string `json:"priority,omitempty"`     // normal or high
	TimeToLive  *int   `json:"time_to_live,omitempty"` // seconds, four weeks at most; nil: that
}

// A WebMessage is what browsers get.
type WebMessage struct {
	Notification WebNotification `json:"notification"`
	Data         map[string]any  `json:"data,omitempty"`         // for the page; pusher is reserved
	TimeToLive   *int            `json:"time_to_live,omitempty"` // seconds, four weeks at most; nil: that
}

// A WebNotification is what a browser shows.
type WebNotification struct {
	Title    string `json:"title,omitempty"`
	Body     string `json:"body,omitempty"`
	Icon     string `json:"icon,omitempty"`      // a URL
	DeepLink string `json:"deep_link,omitempty"` // the URL that a click opens
	// HideIfFocused does not show it while the site has the focus.
	HideIfFocused bool `json:"hide_notification_if_site_has_focus,omitempty"`
}

// Notify sends a notification to the devices that are subscribed to any of the interests,
// and returns how many there are. It returns when the service has taken it; what became
// of it, the webhook of the notification is told. It is never repeated.
func (c *Client) Notify(ctx context.Context, interests []string, n Notification) (subscribers int, err error) {
	members := []member{{"interests", interests}}
	for _, m := range []member{{"apns", n.APNs}, {"gcm", n.GCM}, {"fcm", n.FCM}} {
		if m.value != nil {
			members = append(members, m)
		}
	}
	if n.WebhookURL != "" {
		members = append(members, member{"webhook_url", n.WebhookURL})
	}
	if n.WebhookLevel != "" {
		members = append(members, member{"webhook_level", n.WebhookLevel})
	}
	body, err := object(members...)
	if err != nil {
		return 0, err
	}
	response, err := c.do(ctx, call{method: http.MethodPost, api: serverAPI, path: "/notifications", body: body})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Subscribers int `json:"number_of_subscribers"`
	}
	return answer.Subscribers, response.Decode(&answer)
}

// BeamsConfig says which instance of Beams a backend speaks for.
type BeamsConfig struct {
	// URL is where the service is, as in "https://realtime.example.com". Required.
	URL        string
	InstanceID string // required
	SecretKey  string // required
	// HTTP makes the requests. Nil means [http.DefaultClient].
	HTTP *http.Client
	// Now tells the time for tokens. Nil means [time.Now].
	Now func() time.Time
}

// String leaves out the secret key.
func (cfg BeamsConfig) String() string { return "instance " + cfg.InstanceID }

// GoString leaves out the secret key.
func (cfg BeamsConfig) GoString() string { return "backend.BeamsConfig{" + cfg.String() + "}" }

// Beams publishes push notifications of one instance. It is safe for concurrent use.
type Beams struct {
	cfg  BeamsConfig
	base string
}

// NewBeams returns a client. The error says what is missing in the configuration.
func NewBeams(cfg BeamsConfig) (*Beams, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, invalid(ErrInvalidParameter, "URL", "", "it is not a URL of http or https")
	case cfg.InstanceID == "":
		return nil, invalid(ErrInvalidParameter, "InstanceID", "", "it is empty")
	case cfg.SecretKey == "":
		return nil, invalid(ErrInvalidParameter, "SecretKey", "", "it is empty")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Beams{cfg, strings.TrimRight(cfg.URL, "/")}, nil
}

// A PublishRequest is what each platform gets; nil for nothing. At least one is needed.
type PublishRequest struct {
	APNs *APNsMessage `json:"apns,omitempty"`
	FCM  *FCMMessage  `json:"fcm,omitempty"`
	Web  *WebMessage  `json:"web,omitempty"`
}

// PublishToInterests sends to the devices that are subscribed to any of up to 100
// interests, and returns the id of the publish.
func (b *Beams) PublishToInterests(ctx context.Context, interests []string, r PublishRequest) (publishID string, err error) {
	return b.publish(ctx, "interests", interests, r)
}

// PublishToUsers sends to the devices of up to 1,000 users, and returns the id of the
// publish.
func (b *Beams) PublishToUsers(ctx context.Context, users []string, r PublishRequest) (publishID string, err error) {
	return b.publish(ctx, "users", users, r)
}

func (b *Beams) publish(ctx context.Context, to string, names []string, r PublishRequest) (string, error) {
	members := []member{{to, names}}
	if r.APNs != nil {
		members = append(members, member{"apns", r.APNs})
	}
	if r.FCM != nil {
		members = append(members, member{"fcm", r.FCM})
	}
	if r.Web != nil {
		members = append(members, member{"web", r.Web})
	}
	body, err := object(members...)
	if err != nil {
		return "", err
	}
	text, err := b.ask(ctx, http.MethodPost, "/publish_api/v1/instances/"+url.PathEscape(b.cfg.InstanceID)+"/publishes/"+to, body)
	if err != nil {
		return "", err
	}
	var answer struct {
		ID string `json:"publishId"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.ID == "" {
		return "", &DecodeError{Method: http.MethodPost, Path: "/publishes/" + to, Body: text[:min(len(text), 256)], Err: errors.New("it has no publishId")}
	}
	return answer.ID, nil
}

// DeleteUser deletes all devices of a user. That there are none is no error.
func (b *Beams) DeleteUser(ctx context.Context, user string) error {
	_, err := b.ask(ctx, http.MethodDelete, "/customer_api/v1/instances/"+url.PathEscape(b.cfg.InstanceID)+"/users/"+url.PathEscape(user), nil)
	return err
}

// UserToken is what the SDKs of devices want of a backend to make a device one of a user:
// the answer to their request is {"token": …}. It is valid for a day.
func (b *Beams) UserToken(user string) string {
	const day = 24 * time.Hour
	return b.userToken(user, b.cfg.Now().Add(day))
}

// ask makes a request with the secret key and returns the body of a success.
func (b *Beams) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, b.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	request.Header.Set("Authorization", "Bearer "+b.cfg.SecretKey)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := b.cfg.HTTP.Do(request)
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	if answer.StatusCode/100 != 2 {
		return nil, &APIError{Status: answer.StatusCode, Message: beamsMessage(text), Method: method, Path: path, Header: answer.Header, Body: text}
	}
	return text, nil
}

// beamsMessage is what an error of Beams says.
func beamsMessage(text []byte) string {
	var e struct{ Error, Description string }
	if json.Unmarshal(text, &e) != nil || e.Error == "" {
		return strings.TrimSpace(string(text))
	}
	return fmt.Sprintf("%s: %s", e.Error, e.Description)
}
