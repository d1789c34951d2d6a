package adminclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// An Endpoint is one that is told what happens, as the admin API tells and takes it.
type Endpoint map[string]any

// An EndpointPlace is where an endpoint stands among those of its app.
type EndpointPlace struct {
	index int
	url   string
}

// In returns the endpoint that stands there, if it is still the same.
func (p EndpointPlace) In(list []Endpoint) (Endpoint, error) {
	if p.index >= len(list) || list[p.index]["url"] != p.url {
		return nil, fmt.Errorf("the endpoints of the app were changed meanwhile; look at them and try again")
	}
	return list[p.index], nil
}

// Without returns the list without the endpoint that stands there, if it is still the
// same.
func (p EndpointPlace) Without(list []Endpoint) ([]Endpoint, error) {
	if _, err := p.In(list); err != nil {
		return nil, err
	}
	return slices.Delete(list, p.index, p.index+1), nil
}

// FindEndpoint returns where an endpoint stands. An endpoint without an id is called by
// a name that only the service knows, because it is made of the whole URL.
func (c Client) FindEndpoint(ctx context.Context, app, name string) (EndpointPlace, error) {
	at, index := EndpointPlace{index: -1}, 0
	all := List{Path: WebhooksPath, Member: "endpoints", Query: url.Values{"app": {app}}}
	_, err := c.Pages(ctx, all, func(_ []byte, endpoints []json.RawMessage) error {
		for _, raw := range endpoints {
			var told struct{ Endpoint, URL string }
			if err := Read(raw, &told); err != nil {
				return err
			}
			if told.Endpoint == name {
				at = EndpointPlace{index, told.URL}
			}
			index++
		}
		return nil
	})
	if err == nil && at.index < 0 {
		err = fmt.Errorf("app %s has no endpoint %q; belfry webhooks list --app %[1]s shows what there is", app, name)
	}
	return at, err
}

// EditEndpoints returns the request that changes the endpoints of an app as edit says,
// if nobody else does meanwhile.
func (c Client) EditEndpoints(ctx context.Context, app string, edit func([]Endpoint) ([]Endpoint, error)) (Request, error) {
	reply, err := c.Call(ctx, Request{Path: AppPath(app)})
	if err != nil {
		return Request{}, err
	}
	var told struct {
		Revision uint64
		Webhooks []Endpoint
	}
	if err := Read(reply, &told); err != nil {
		return Request{}, err
	}
	list, err := edit(told.Webhooks)
	if err != nil {
		return Request{}, err
	}
	return Request{Method: http.MethodPatch, Path: AppPath(app), Body: map[string]any{"webhooks": list}, Revision: told.Revision}, nil
}
