// Package migrate has a program that is written against pusher-http-go, and
// the same program after it was moved to Belfry's library. Its test shows that
// nothing but an import and a constructor has changed. See docs/migrate.md.
package migrate
