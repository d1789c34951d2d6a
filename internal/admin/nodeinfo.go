package admin

import (
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// NodeInfo is what one node is, whether or not it has peers.
type NodeInfo struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Since     time.Time `json:"since"` // when the process was started
	Witness   bool      `json:"witness"`
	Clustered bool      `json:"clustered"` // it may have peers

	Listen    string `json:"listen,omitempty"`     // without TLS
	TLSListen string `json:"tls_listen,omitempty"` // with TLS
	Path      string `json:"path,omitempty"`       // prefix in front of all paths for clients
	HTTPPath  string `json:"http_path,omitempty"`  // in front of the HTTP transports, behind Path
}

// showNode tells what this node is.
func (c Config) showNode(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	answer := struct {
		NodeInfo
		Ready       bool   `json:"ready"`
		Reason      string `json:"reason,omitempty"`      // why it is not
		Connections *int   `json:"connections,omitempty"` // for those who see all apps
	}{Ready: true}
	if c.Node != nil {
		answer.NodeInfo = c.Node()
	}
	if c.Ready != nil {
		if err := c.Ready(); err != nil {
			answer.Ready, answer.Reason = false, err.Error()
		}
	}
	if access.From(r.Context()).SeesAll() {
		n := 0
		if c.Draining != nil {
			_, n = c.Draining()
		}
		answer.Connections = &n
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}
