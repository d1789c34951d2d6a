package backend

import "sync"

// defaultClient is the client of the process.
var defaultClient struct {
	sync.Mutex
	client *Client
}

// Default returns the client of the process: that of SetDefault, or else one
// that is made of the variable PUSHER_URL once, at the first call that finds it.
func Default() (*Client, error) {
	defaultClient.Lock()
	defer defaultClient.Unlock()
	if defaultClient.client == nil {
		c, err := NewFromEnv(Config{})
		if err != nil {
			return nil, err
		}
		defaultClient.client = c
	}
	return defaultClient.client, nil
}

// SetDefault makes c the client that Default returns. Nil makes Default look
// at the environment again.
func SetDefault(c *Client) {
	defaultClient.Lock()
	defer defaultClient.Unlock()
	defaultClient.client = c
}
