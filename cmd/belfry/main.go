// Command belfry is a realtime service that speaks the Pusher Channels
// protocol, and the tools to look into one.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}
