package faults

import (
	"strings"

	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A Party is where a fault comes from.
type Party string

// The sides.
const (
	Client  Party = "client"  // a browser or another client, and who made it
	Backend Party = "backend" // a program that uses the HTTP API
	Webhook Party = "webhook" // an endpoint that is told of events
	Service Party = "service" // this service
)

// A Cause is why something went wrong.
type Cause string

// An explanation is what is known of a fault whose text begins so.
type explanation struct {
	begins string
	cause  Cause
}

// clientTexts are the beginnings of what clients are told, with or without the end
// of the connection.
var clientTexts = []explanation{
	{"Invalid signature", "wrong_signature"},
	{"Invalid key in subscription auth data", "wrong_key"},
	{"Auth value for subscription", "auth_format"},
	{"Invalid format: auth must", "auth_format"},
	{"Connection is already signed in", "signed_in_as_another"},
	{"Not signed in as the user", "channel_of_another_user"},
	{"user_info supplied", "channel_data"},
	{"Invalid channel_data", "channel_data"},
	{"Invalid user_data", "user_data"},
	{"Missing parameter", "missing_parameter"},
	{"Received invalid JSON", "invalid_json"},
	{"Existing subscription", "already_subscribed"},
	{"No current subscription", "not_subscribed"},
	{"Invalid channel name", "channel_name"},
	{"The maximum members", "limit_presence_members"},
	{"The maximum channels", "limit_channels_per_connection"},
	{"The data content", "limit_event_size"},
	{"The event name exceeds", "limit_event_name"},
	{"Client event rejected due to rate", "limit_client_events"},
	{"Watchlist limit", "limit_watchlist"},
	{"To send client events", "client_events_disabled"},
	{"Client event rejected - only", "client_event_on_public_channel"},
	{"Cannot broadcast client event", "client_event_without_subscription"},
	{"Unsupported event", "unknown_event"},
	{"Internal error", "internal"},
}

// closings are by the code with which a client was refused or closed.
var closings = map[int]Cause{
	int(protocol.CloseTLSOnly):            "tls_required",
	int(protocol.CloseUnknownApp):         "unknown_key",
	int(protocol.CloseAppDisabled):        "app_disabled",
	int(protocol.CloseOverQuota):          "limit_connections",
	int(protocol.ClosePathNotFound):       "path_not_found",
	int(protocol.CloseInvalidVersion):     "protocol_version",
	int(protocol.CloseUnsupportedVersion): "protocol_version",
	int(protocol.CloseNoVersion):          "protocol_version",
	int(protocol.CloseUnauthorized):       "origin",
	int(protocol.CloseOverCapacity):       "over_capacity",
	int(protocol.ClosePongTimeout):        "no_pong",
	int(protocol.CloseProtocol):           "websocket_protocol",
	int(protocol.CloseUnsupported):        "binary_message",
	int(protocol.CloseInvalidText):        "invalid_utf8",
	int(protocol.ClosePolicy):             "compression_abuse",
	int(protocol.CloseTooBig):             "message_too_large",
}

// backendTexts are the beginnings of what backends are told.
var backendTexts = []explanation{
	{"Unknown auth_key", "unknown_key"},
	{"Invalid signature", "wrong_signature"},
	{"Timestamp expired", "clock"},
	{"Timestamp required", "auth_parameters"},
	{"Version required", "auth_parameters"},
	{"Version not supported", "auth_parameters"},
	{"Missing parameter: auth_key", "auth_parameters"},
	{"Invalid body_md5", "body_hash"},
	{"App disabled", "app_disabled"},
	{"The data content", "limit_event_size"},
	{"The request body exceeds", "body_size"},
}

// statuses are the causes of what backends are answered otherwise.
var statuses = map[int]Cause{
	400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "path_not_found", 405: "method", 413: "too_large", 415: "body_format",
	429: "rate_limit", 500: "internal", 503: "overloaded",
}

// privateAddress is said of an endpoint that may not be asked.
const privateAddress = "is not public and not among the allowed networks"

// classify says in which row a record is counted, if it is a fault.
func classify(r *trace.Record) (name, bool) {
	switch r.Kind {
	case trace.ConnectionRefused:
		return classifyRefused(r)
	case trace.ClientError:
		n := name{cause{Client, find(clientTexts, r.Text, "other")}, pattern(r.Text)}
		return n, true
	case trace.APIError:
		_, text, _ := strings.Cut(r.Text, ": ") // behind method and path
		otherwise, ok := statuses[r.Code]
		if !ok {
			otherwise = "other"
		}
		return name{cause{Backend, find(backendTexts, text, otherwise)}, pattern(text)}, true
	case trace.SlowClosed:
		return name{cause{Client, "too_slow"}, "took too little for too long"}, true
	case trace.Disconnected:
		how, ok := closings[r.Code]
		if !ok || r.Ending == nil || r.Ending.By != trace.ByService || r.Ending.Slow || r.Code > 1999 && how != "no_pong" {
			return name{}, false
		}
		return name{cause{Client, how}, trace.Meaning(protocol.CloseCode(r.Code))}, true
	case trace.WebhookFailed:
		why := Cause("not_delivered")
		if strings.Contains(r.Text, privateAddress) {
			why = "private_address"
		}
		return name{cause{Webhook, why}, pattern(r.Text)}, true
	case trace.Error:
		return name{cause{Service, "internal"}, pattern(r.Text)}, true
	}
	return name{}, false
}

// classifyRefused is about connections that were refused. One that a node sends on
// because it stops is no fault.
func classifyRefused(r *trace.Record) (name, bool) {
	how, ok := closings[r.Code]
	switch {
	case r.Code == int(protocol.CloseReconnect):
		return name{}, false
	case !ok:
		how = "other"
	}
	detail := trace.Meaning(protocol.CloseCode(r.Code)) // the text may repeat a key
	if how == "origin" && r.Client != nil {
		detail = trace.Short(r.Client.Origin)
	}
	return name{cause{Client, how}, detail}, true
}

func find(list []explanation, text string, otherwise Cause) Cause {
	for _, e := range list {
		if strings.HasPrefix(text, e.begins) {
			return e.cause
		}
	}
	return otherwise
}

// maxPattern is how long a pattern is.
const maxPattern = 100

// pattern is what all texts of one kind have in common: their beginning up to what
// was echoed, with N for numbers.
func pattern(text string) string {
	end := len(text)
	for _, stop := range []string{": ", `"`, "'", "(", ",", "\n"} {
		if i := strings.Index(text, stop); i >= 0 {
			end = min(end, i)
		}
	}
	var b strings.Builder
	digits := false
	for _, c := range text[:end] {
		isDigit := '0' <= c && c <= '9'
		switch {
		case isDigit && !digits:
			b.WriteByte('N')
		case !isDigit:
			b.WriteRune(c)
		}
		digits = isDigit
		if b.Len() >= maxPattern {
			break
		}
	}
	return strings.TrimSpace(b.String())
}
