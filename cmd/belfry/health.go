package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/reach"
	"github.com/belfryhq/belfry/internal/config"
)

// healthTimeout is how long a node has to say how it is.
const healthTimeout = 5 * time.Second

func newHealth(s cli.Streams) *cobra.Command {
	var file string
	var live bool
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the node of this machine whether it takes clients",
		Long: `Asks the node that runs here with the same configuration whether it takes
clients. The status is 0 if it does, and 1 if it does not or does not answer.
Containers use it as their health check.

Where to ask is read as belfry serve reads it: the port of admin.listen or, if
that is off, the one of listen or tls.listen. Mistakes in other settings do not
matter here, as they do not matter to a node that runs already.

A node that drains, or waits for its cluster, does not take clients. With --live
the question is only whether the process answers. That is the one for whoever
ends a process that does not.`,
		Example: `  belfry health
  belfry health --config /etc/belfry/belfry.yaml
  belfry health --live`,
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			where, err := probe(config.ReadListeners(config.Source{File: file, Environ: os.Environ(), Flags: command.Flags()}), live)
			if err != nil {
				return err
			}
			return askHealth(command.Context(), s.Out, where)
		},
	}
	addConfigFlags(command, &file)
	command.Flags().BoolVar(&live, "live", false, "ask only whether the process answers")
	return command
}

// probe is the URL that answers how a node is that listens there.
func probe(at config.Listeners, live bool) (*url.URL, error) {
	scheme, address, path := "http", at.Admin, "/readyz"
	if live {
		path = "/healthz"
	}
	if at.Admin != "" && at.AdminTLS {
		scheme = "https"
	}
	if at.Admin == "" {
		if path = "/ready"; live {
			path = "/up"
		}
		if address = at.Plain; address == "" {
			scheme, address = "https", at.TLS
		}
	}
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return nil, errors.New("admin.listen, listen and tls.listen are off; there is nobody to ask")
	case port == "0":
		return nil, fmt.Errorf("%s is a port that changes with each start; give the one of today with --admin-listen", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: path}, nil
}

// askHealth asks there, and returns an error if the node is not well.
func askHealth(ctx context.Context, out io.Writer, where *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport: &http.Transport{
			// The node is asked by its address, for which its certificate need not
			// be. The request has no secret, and the answer is a word.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return reach.Explain(where, err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
	reason := strings.TrimSpace(string(body))
	switch response.StatusCode {
	case http.StatusOK:
		_, err = fmt.Fprintln(out, reason)
		return err
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%s says %q", where, reason)
	}
	return fmt.Errorf("%s answers with status %d; does another program listen there?", where, response.StatusCode)
}
