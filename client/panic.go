package client

import "runtime/debug"

// stack is where a panic came from.
func stack() []byte { return debug.Stack() }
