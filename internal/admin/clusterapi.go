package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

var errNotClustered = jsonhttp.Refuse(http.StatusNotFound,
	"This node is alone: it was started neither with cluster.listen nor with an external NATS for several nodes.")

// clusterAPI has what the calls about the cluster work on.
type clusterAPI struct {
	status func(context.Context) (ClusterStatus, error)
	remove func(context.Context, string) error
}

// cluster returns what is known of the cluster.
func (k *clusterAPI) cluster(r *http.Request) (ClusterStatus, error) {
	if k.status == nil {
		return ClusterStatus{}, errNotClustered
	}
	s, err := k.status(r.Context())
	if err != nil {
		return s, clusterUnavailable("The state of the cluster can not be told now; try again.", err)
	}
	s.complete()
	return s, nil
}

func clusterUnavailable(detail string, err error) error {
	return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable, Detail: detail, Err: err}
}

func (k *clusterAPI) show(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	s, err := k.cluster(r)
	if err != nil {
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, s)
}

// removeNode makes the cluster forget a node that is gone for good.
func (k *clusterAPI) removeNode(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	var given struct {
		Name string `json:"name"`
	}
	if err := jsonhttp.Read(r, &given); err != nil {
		return err
	}
	s, err := k.cluster(r)
	if err != nil {
		return err
	}
	audit.Of(r.Context()).Target = given.Name
	if given.Name == "" {
		return &jsonhttp.Problem{
			Title:    http.StatusText(http.StatusUnprocessableEntity),
			Status:   http.StatusUnprocessableEntity,
			Detail:   "Which node?",
			Mistakes: []jsonhttp.Mistake{{Name: "name", Text: "is missing"}},
		}
	}
	if k.remove == nil || !s.Engine.Embedded {
		return jsonhttp.Refuse(http.StatusConflict, "The engine is an external NATS: a node that is gone is forgotten by itself.")
	}
	if err := s.removable(given.Name); err != nil {
		return err
	}
	switch err := k.remove(r.Context(), given.Name); {
	case errors.Is(err, engine.ErrUnknownPeer):
		return unknownNode(given.Name)
	case err != nil:
		return clusterUnavailable("The engine does not answer. Whether the node was removed is not known; look at the cluster, and try again.", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func unknownNode(name string) error {
	return jsonhttp.Refuse(http.StatusNotFound, "The cluster has no node %q.", name)
}

// removable returns why a node must not be removed, or nil.
func (s *ClusterStatus) removable(name string) error {
	known := false
	for _, n := range s.Nodes {
		if n.Name != name {
			continue
		}
		known = true
		switch {
		case n.Self:
			return jsonhttp.Refuse(http.StatusConflict, "It is this node. To end it: belfry drain.")
		case n.State == StateSuspect || n.State == StateLeaving:
			return jsonhttp.Refuse(http.StatusConflict, "%s is %s; %s. It can be removed when it is given up, %s after it was heard last.",
				name, n.State, silence(n.LastHeardMS), milliseconds(s.LeaseMS+s.GraceMS))
		case n.State != StateAbsent:
			return jsonhttp.Refuse(http.StatusConflict, "%s is running (%s). End it first: belfry drain, on its own administration port.", name, n.State)
		}
	}
	if !known {
		return unknownNode(name)
	}
	if !s.Quorum {
		return clusterUnavailable(fmt.Sprintf("A node can only be removed with a quorum. %s", s.gathered()), nil)
	}
	return nil
}
