// Package tables writes answers of the admin API for a person to read.
//
// It knows what the answers tell, and how to say it in words and columns. Who
// asks, and whether the answer is written as it came instead, is up to its
// callers. It takes no locks and keeps nothing.
package tables
