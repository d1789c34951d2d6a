// Package errortext makes the texts of errors readable for people at the command
// line, who know none of our packages. It takes no locks and keeps nothing.
package errortext

import (
	"slices"
	"strings"
)

// packages are the names that errors begin with in the log, sorted. People at
// the command line know none of them. A test of the module's root says which are
// missing.
var packages = []string{
	"accept", "access", "acme", "admin", "adminclient", "admission", "apns", "apps", "appstore", "audit",
	"backend", "backoff", "beams", "belfrytest", "bench", "broker", "brokertest", "bundle",
	"callback", "certificate", "certificatetest", "cli", "client", "config", "console",
	"datadir", "delivery", "devices", "devsite", "doctor", "durable",
	"egress", "engine", "errortext", "exchange", "expiry", "explain",
	"fallback", "fanout", "faults", "fcm", "follow", "forwarded", "frame",
	"handover", "history", "hostname", "http1", "httpapi", "hub",
	"idempotency", "importer", "inspect", "intern",
	"journal", "jsonhttp",
	"keyed", "keyuse",
	"lane", "listing", "local", "loop",
	"membroker", "mesh", "mount",
	"native", "natsbroker", "natsroster", "natstest", "node", "notification",
	"operator",
	"payload", "peers", "proof", "protocol", "providers", "pushapi", "pusher", "pushtest",
	"queue", "queuetest",
	"rate", "rawjson", "reach", "recall", "relay", "release", "reports", "roster", "rostertest",
	"sent", "server", "serving", "setting", "signing", "subprocess", "survey",
	"tables", "tap", "target", "terminal", "ticket", "tokenstore", "trace",
	"usage",
	"visitor",
	"wakeup", "watch", "web", "webhook", "webpush", "work", "ws",
}

// Plain is the text of an error without the names of packages. That of the
// command is in front.
func Plain(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		parts := strings.Split(line, ": ")
		last := len(parts) - 1
		kept := slices.DeleteFunc(parts[:last:last], func(part string) bool {
			_, known := slices.BinarySearch(packages, part)
			return known
		})
		lines[i] = strings.Join(append(kept, parts[last]), ": ")
	}
	return strings.Join(lines, "\n")
}
