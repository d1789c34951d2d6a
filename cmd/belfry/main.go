// Command belfry is a realtime service that speaks the Pusher Channels
// protocol, and the tools to look into one.
package main

import (
	"os"

	// Authorities for webhooks and other requests, where the system has none: in
	// an image of the program alone.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

func main() {
	os.Exit(run(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
