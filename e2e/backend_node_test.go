package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A nodeBackend uses the Node library, in a process of its own.
type nodeBackend struct {
	node *node
	url  string
}

// startNodeBackend starts a backend that talks to s, over TLS if s does.
func startNodeBackend(t testing.TB, s *service.Service, app credential) *nodeBackend {
	t.Helper()
	b := &nodeBackend{}
	b.node = startNode(t, "backend.mjs", s.CAFile, func(s seen) {
		t.Errorf("a backend reported %v", s)
	})
	addr, useTLS := s.Addr, false
	if s.TLSAddr != "" {
		addr, useTLS = s.TLSAddr, true
	}
	b.node.must("configure", map[string]any{
		"appId":                     app.id,
		"key":                       app.key,
		"secret":                    app.secret,
		"host":                      "127.0.0.1",
		"port":                      port(addr),
		"useTLS":                    useTLS,
		"encryptionMasterKeyBase64": masterKey,
	}, &b.url)
	return b
}

func (b *nodeBackend) AuthURL() string { return b.url }

func (b *nodeBackend) Trigger(channels []string, event string, data any, params triggerParams) (map[string]counts, error) {
	var answer struct{ Channels map[string]counts }
	err := b.node.call("trigger", map[string]any{
		"channels": channels, "event": event, "data": data,
		"params": given(map[string]string{"socket_id": params.SocketID, "info": params.Info}),
	}, &answer)
	return answer.Channels, err
}

func (b *nodeBackend) TriggerBatch(batch []batchEvent) ([]counts, error) {
	var events []map[string]any
	for _, e := range batch {
		event := map[string]any{"channel": e.Channel, "name": e.Event, "data": e.Data}
		for k, v := range given(map[string]string{"socket_id": e.SocketID, "info": e.Info}) {
			event[k] = v
		}
		events = append(events, event)
	}
	var answer struct{ Batch []counts }
	err := b.node.call("triggerBatch", map[string]any{"batch": events}, &answer)
	return answer.Batch, err
}

func (b *nodeBackend) SendToUser(user, event string, data any) error {
	return b.node.call("sendToUser", map[string]any{"user": user, "event": event, "data": data}, nil)
}

// Terminate closes the connections of a user.
func (b *nodeBackend) Terminate(user string) error {
	return b.node.call("terminate", map[string]any{"user": user}, nil)
}

func (b *nodeBackend) Channels(prefix, info string) (map[string]counts, error) {
	var answer struct{ Channels map[string]counts }
	err := b.get("/channels", map[string]string{"filter_by_prefix": prefix, "info": info}, &answer)
	return answer.Channels, err
}

func (b *nodeBackend) Channel(name, info string) (channelState, error) {
	var answer channelState
	err := b.get("/channels/"+name, map[string]string{"info": info}, &answer)
	return answer, err
}

func (b *nodeBackend) Users(channel string) ([]string, error) {
	var answer struct{ Users []struct{ ID string } }
	err := b.get("/channels/"+channel+"/users", nil, &answer)
	var ids []string
	for _, u := range answer.Users {
		ids = append(ids, u.ID)
	}
	return ids, err
}

func (b *nodeBackend) get(path string, params map[string]string, answer any) error {
	return b.node.call("get", map[string]any{"path": path, "params": given(params)}, answer)
}

// given are the parameters that are not left out.
func given(params map[string]string) map[string]string {
	some := make(map[string]string)
	for k, v := range params {
		if v != "" {
			some[k] = v
		}
	}
	return some
}
