package backend

import "time"

// TimeoutOf returns how long a call of the client may take.
func TimeoutOf(c *Client) time.Duration { return c.timeout }
