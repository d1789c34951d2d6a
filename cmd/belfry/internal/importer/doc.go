// Package importer makes a belfry.yaml of the files of another server: soketi,
// Laravel Reverb, laravel-websockets, or the .env of an app on hosted Pusher.
//
// A reader for each format (dotenv.go, jsonfile.go, php.go, sql.go) makes a tree
// of YAML nodes with lines, and never runs what it reads. One file for each
// server says what its settings become. What has no counterpart becomes a
// [Note], and so does what will behave differently.
//
// The files come from elsewhere, so everything that is read has a limit. Notes
// and errors have names and lines, and never the text of a value that may be a
// secret. The package takes no locks and writes no files.
package importer
