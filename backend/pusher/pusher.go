// Package pusher lets a program that was written for pusher-http-go, version
// 5, use package backend. The names, types and results are those of that
// library. The program changes an import and a constructor, and nothing else.
//
//   - import "github.com/pusher/pusher-http-go/v5"
//
//   - import "github.com/belfryhq/belfry/backend/pusher"
//
//   - client := pusher.Client{AppID: id, Key: key, Secret: secret, Host: host, Secure: true}
//
//   - client, err := pusher.New(pusher.Client{AppID: id, Key: key, Secret: secret, Host: host, Secure: true})
//
// Programs that use ClientFromURL or ClientFromEnv change the import only.
//
// Some things differ on purpose. No host is assumed, so New fails without a
// host or cluster. Queries are sent with escapes. An empty list of channels is
// an error. Webhooks about encrypted channels arrive also when they have no
// data to decrypt. Errors are those of package backend, with a status and a
// body, instead of text. New programs use package backend, which has contexts,
// results and handlers as well. [Client.Backend] is the way over.
package pusher

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/belfryhq/belfry/backend"
)

// A Client triggers events for one app. Its fields are set before the first
// call of a method and not changed afterwards. A Client that is neither of New
// nor of ClientFromURL returns an error from every method.
type Client struct {
	AppID      string
	Key        string
	Secret     string
	Host       string // host or host:port
	Secure     bool   // https instead of http
	Cluster    string
	HTTPClient *http.Client // nil: one with a timeout of five seconds

	EncryptionMasterKey         string // 32 bytes; deprecated in favour of EncryptionMasterKeyBase64
	EncryptionMasterKeyBase64   string
	OverrideMaxMessagePayloadKB int // 0: 10

	lazy *lazy
}

// A lazy is made of the fields of a Client at its first use. It is shared by
// copies of the Client.
type lazy struct {
	once     sync.Once
	basePath string // of ClientFromURL
	c        *backend.Client
	err      error
}

// New checks the configuration and returns a client for it. The error is a
// backend.ErrConfig or backend.ErrMasterKey.
func New(configuration Client) (*Client, error) {
	c := configuration
	c.lazy = new(lazy)
	if _, err := c.build(); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *Client) build() (*backend.Client, error) {
	cfg := backend.Config{
		AppID: c.AppID, Key: c.Key, Secret: c.Secret,
		Host: c.Host, Cluster: c.Cluster, Insecure: !c.Secure, BasePath: c.lazy.basePath,
		HTTPClient:                c.HTTPClient,
		EncryptionMasterKeyBase64: c.EncryptionMasterKeyBase64,
		Limits:                    backend.Limits{DataBytes: c.OverrideMaxMessagePayloadKB * 1024},
	}
	if c.EncryptionMasterKey != "" {
		if len(c.EncryptionMasterKey) != 32 || c.EncryptionMasterKeyBase64 != "" {
			return nil, fmt.Errorf("%w: EncryptionMasterKey is not 32 bytes, or there are two keys", backend.ErrMasterKey)
		}
		cfg.EncryptionMasterKey = (*[32]byte)([]byte(c.EncryptionMasterKey))
	}
	return backend.New(cfg)
}

// ClientFromURL returns a client for scheme://key:secret@host/apps/id. Other
// fields of it may be set before its first use.
func ClientFromURL(serverURL string) (*Client, error) {
	b, err := backend.NewFromURL(serverURL, backend.Config{})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(serverURL)
	if err != nil {
		return nil, backend.ErrConfig // the error of url would repeat the secret
	}
	secret, _ := u.User.Password()
	return &Client{
		AppID: b.AppID(), Key: b.Key(), Secret: secret, Host: u.Host, Secure: u.Scheme == "https",
		lazy: &lazy{basePath: u.Path[:strings.LastIndex(u.Path, "/apps/")]},
	}, nil
}

// ClientFromEnv is ClientFromURL with the URL in the variable of that name.
func ClientFromEnv(key string) (*Client, error) {
	return ClientFromURL(os.Getenv(key))
}

// Backend returns the same client as package backend has it, for what this
// package does not offer.
func (c *Client) Backend() (*backend.Client, error) {
	if c.lazy == nil {
		return nil, fmt.Errorf("%w: a Client literal; pass it to pusher.New", backend.ErrConfig)
	}
	c.lazy.once.Do(func() { c.lazy.c, c.lazy.err = c.build() })
	return c.lazy.c, c.lazy.err
}

// TriggerParams are what a trigger can have besides channel, event and data.
type TriggerParams struct {
	SocketID *string // of a connection that is left out
	Info     *string // attributes of the channels, separated by commas
}

func (p TriggerParams) options() []backend.TriggerOption {
	var opts []backend.TriggerOption
	if p.SocketID != nil {
		opts = append(opts, backend.ExcludeSocket(*p.SocketID))
	}
	if p.Info != nil {
		opts = append(opts, backend.WantInfo(attributes(*p.Info)...))
	}
	return opts
}

// Trigger sends an event to a channel.
func (c *Client) Trigger(channel string, eventName string, data interface{}) error {
	_, err := c.TriggerMultiWithParams([]string{channel}, eventName, data, TriggerParams{})
	return err
}

// TriggerWithParams is Trigger with parameters.
func (c *Client) TriggerWithParams(channel string, eventName string, data interface{}, params TriggerParams) (*TriggerChannelsList, error) {
	return c.TriggerMultiWithParams([]string{channel}, eventName, data, params)
}

// TriggerMulti sends an event to up to 100 channels.
func (c *Client) TriggerMulti(channels []string, eventName string, data interface{}) error {
	_, err := c.TriggerMultiWithParams(channels, eventName, data, TriggerParams{})
	return err
}

// TriggerMultiWithParams is TriggerMulti with parameters.
func (c *Client) TriggerMultiWithParams(channels []string, eventName string, data interface{}, params TriggerParams) (*TriggerChannelsList, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	text, err := eventData(data)
	if err != nil {
		return nil, err
	}
	result, err := b.TriggerMulti(context.Background(), channels, eventName, text, params.options()...)
	if err != nil {
		return nil, err
	}
	list := new(TriggerChannelsList)
	if result.Channels != nil {
		list.Channels = make(map[string]TriggerChannelListItem, len(result.Channels))
	}
	for name, info := range result.Channels {
		list.Channels[name] = TriggerChannelListItem{info.UserCount, info.SubscriptionCount}
	}
	return list, nil
}

// TriggerExclusive is Trigger without the connection of that id.
func (c *Client) TriggerExclusive(channel string, eventName string, data interface{}, socketID string) error {
	_, err := c.TriggerMultiWithParams([]string{channel}, eventName, data, TriggerParams{SocketID: &socketID})
	return err
}

// TriggerMultiExclusive is TriggerMulti without the connection of that id.
func (c *Client) TriggerMultiExclusive(channels []string, eventName string, data interface{}, socketID string) error {
	_, err := c.TriggerMultiWithParams(channels, eventName, data, TriggerParams{SocketID: &socketID})
	return err
}

// SendToUser sends an event to every connection that is signed in as a user.
func (c *Client) SendToUser(userID string, eventName string, data interface{}) error {
	b, err := c.Backend()
	if err != nil {
		return err
	}
	text, err := eventData(data)
	if err != nil {
		return err
	}
	return b.SendToUser(context.Background(), userID, eventName, text)
}

// An Event is one element of a batch.
type Event struct {
	Channel  string
	Name     string
	Data     interface{}
	SocketID *string
	Info     *string
}

// TriggerBatch sends up to ten events in one request.
func (c *Client) TriggerBatch(batch []Event) (*TriggerBatchChannelsList, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	events := make([]backend.Event, len(batch))
	for i, e := range batch {
		text, err := eventData(e.Data)
		if err != nil {
			return nil, err
		}
		events[i] = backend.Event{Channel: e.Channel, Name: e.Name, Data: text}
		if e.SocketID != nil {
			events[i].SocketID = *e.SocketID
		}
		if e.Info != nil {
			events[i].Info = attributes(*e.Info)
		}
	}
	result, err := b.TriggerBatch(context.Background(), events)
	if err != nil {
		return nil, err
	}
	list := new(TriggerBatchChannelsList)
	for _, info := range result.Events {
		list.Batch = append(list.Batch, TriggerBatchChannelListItem{info.UserCount, info.SubscriptionCount})
	}
	return list, nil
}

// eventData is the data of an event as pusher-http-go encodes it, with escapes
// for HTML.
func eventData(data interface{}) ([]byte, error) {
	switch d := data.(type) {
	case []byte:
		return d, nil
	case string:
		return []byte(d), nil
	}
	return json.Marshal(data)
}
