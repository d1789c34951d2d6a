// Package serving is the life of a service's process: its log, what its supervisor is
// told, and when its configuration is read again.
//
// The service itself is a node of package server, and what it is made of comes from
// package config. Which commands run one is up to them.
//
// [Run] waits for what it starts, and so does [Reloader.Run]. Both end with their
// context. A reloader belongs to the goroutine that runs it.
package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/belfryhq/belfry/internal/server"
)

// NewLog returns the log of a service.
func NewLog(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Run serves until ctx ends, and then says goodbye to the clients.
func Run(ctx context.Context, node server.Node, log *slog.Logger) error {
	for _, l := range node.Listeners() {
		log.Info("listening", "listener", l.Name, "address", l.Addr.String())
	}
	told := Supervisor{log}
	told.ready()
	watched := make(chan struct{})
	alive, ended := context.WithCancel(context.WithoutCancel(ctx)) // it is watched until it has ended
	go func() {
		defer close(watched)
		told.Watch(alive, node)
	}()
	defer func() {
		ended()
		<-watched
	}()
	forget := context.AfterFunc(ctx, func() { log.Info("stopping; a second signal stops at once") })
	defer forget()
	if err := node.Run(ctx); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// ExplainListen says what to do about a listener that can not be opened.
func ExplainListen(err error) error {
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != "listen" {
		return err
	}
	address := ""
	if e.Addr != nil {
		address = e.Addr.String()
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("another program listens on %s; stop it, or choose another address with --listen or --admin-listen", address)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("listening on %s is not allowed to this user; choose a port above 1023, or grant CAP_NET_BIND_SERVICE", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine; 0.0.0.0 stands for all that are", address)
	}
	return err
}
