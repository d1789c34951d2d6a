// Package reach says to a person why a service can not be reached, and what to
// do about it.
//
// It takes no locks and keeps nothing.
package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Timeout is how long a service has to answer a command.
const Timeout = 15 * time.Second

// Explain returns an error for people, of one that came instead of an answer of
// the service at base. It repeats nothing of the URL but scheme and host.
func Explain(base *url.URL, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // e itself prints the URL with its signature
	}
	where := base.Scheme + "://" + base.Host
	_, noSuchHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens on %s; is belfry running there, on that port? (belfry dev starts one for trying out)", where)
	case noSuchHost:
		return fmt.Errorf("there is no host named %s", base.Hostname())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %s; is a firewall between here and there?", where, Timeout)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s does not speak TLS; write http:// instead of https://", where)
	}
	return fmt.Errorf("%s can not be reached: %w", where, err)
}
