// Package exchange makes one request to a provider of push notifications and reads the
// answer. It says what is to be done where no answer came, in the words of package
// notification. What an answer means is known to the clients of the providers.
//
// Nothing that it returns has the URL, a header or the body of the request: they hold
// tokens and keys. It takes no locks.
package exchange

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// DefaultTimeout is how long a provider has to answer.
	DefaultTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
	// maxRetryAfter is the longest wait that a provider may ask for.
	maxRetryAfter = time.Hour
	// tolerated is how far the clocks may be apart. Apple and Google refuse tokens
	// that are off by more.
	tolerated = 5 * time.Minute
)

// An Answer is what a provider has said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its beginning
}

// Post sends a request and reads the answer, following no redirects. If there is no
// answer, it returns nil and the outcome of that. Zero timeout is [DefaultTimeout].
func Post(ctx context.Context, over http.RoundTripper, timeout time.Duration, url string, header http.Header, body []byte) (*Answer, notification.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(timeout, DefaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, notification.Outcome{Verdict: notification.DeviceRefused, Reason: "the address can not be used"}
	}
	req.Header = header
	answer, err := over.RoundTrip(req)
	if err != nil {
		return nil, unanswered(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil && answer.StatusCode/100 != 2 {
		return nil, unanswered(err)
	}
	return &Answer{answer.StatusCode, answer.Header, text}, notification.Outcome{}
}

// unanswered is the outcome of a request without an answer. One that was cut off is a
// matter of its device alone; a provider that can not be reached is one of all.
func unanswered(err error) notification.Outcome {
	o := notification.Outcome{Verdict: notification.Retry, Scope: notification.Host}
	cause, err := egress.Explain(err)
	switch cause {
	case egress.Connection:
		o.Scope = notification.OneDevice
		o.Reason = "the connection was lost"
		if errors.Is(err, context.Canceled) {
			o.Reason = "the service is stopping"
		}
	case egress.Timeout:
		o.Reason = "no answer in time"
	case egress.DNS:
		o.Reason = "the provider's name is not found: " + err.Error()
	case egress.TLS:
		o.Reason = "TLS: " + err.Error()
	case egress.Refused:
		o.Reason = "the connection is refused"
	case egress.Forbidden:
		o.Verdict, o.Scope = notification.DeviceRefused, ""
		o.Reason = egress.ErrForbidden.Error()
	}
	return o
}

// RetryAfter is how long the provider wants to be left alone: seconds, or a date by its
// own clock. Zero means that it does not say.
func (a *Answer) RetryAfter() time.Duration {
	text := a.Header.Get("Retry-After")
	wait := time.Duration(0)
	if s, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(a.date())
	}
	return min(max(wait, 0), maxRetryAfter)
}

// date is what the provider's clock said.
func (a *Answer) date() time.Time {
	if at, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// Clock says, in words to append to a reason, how far this machine's clock is from the
// provider's. It is empty if they agree, or the provider does not say.
func (a *Answer) Clock(now time.Time) string {
	at, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return ""
	}
	switch off := now.Sub(at).Round(time.Minute); {
	case off > tolerated:
		return fmt.Sprintf("; the clock of this machine is %v ahead of the provider's", off)
	case off < -tolerated:
		return fmt.Sprintf("; the clock of this machine is %v behind the provider's", -off)
	}
	return ""
}

// Word is a reason that a provider has given, if it looks like one: providers say what
// they like, and it goes into logs. Otherwise it is the status.
func (a *Answer) Word(reason string) string {
	for _, r := range reason {
		if r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			reason = ""
			break
		}
	}
	const longest = 64
	if reason == "" || len(reason) > longest {
		return fmt.Sprintf("status %d", a.Status)
	}
	return reason
}
