package protocol_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// TestErrorTexts pins the texts that people search for.
func TestErrorTexts(t *testing.T) {
	tests := map[*protocol.Error]struct {
		code    protocol.CloseCode
		message string
	}{
		protocol.ErrTLSOnly:                             {4000, "Application only accepts SSL connections, reconnect using wss://"},
		protocol.UnknownApp("nope"):                     {4001, "App key nope not in this cluster. Did you forget to specify the cluster?"},
		protocol.ErrAppDisabled:                         {4003, "Application disabled"},
		protocol.ErrOverQuota:                           {4004, "Application is over connection quota"},
		protocol.ErrPathNotFound:                        {4005, "Path not found"},
		protocol.ErrInvalidVersion:                      {4006, "Invalid version string format"},
		protocol.ErrUnsupportedVersion:                  {4007, "Unsupported protocol version"},
		protocol.ErrNoVersion:                           {4008, "No protocol version supplied"},
		protocol.ErrNotAuthorized:                       {4009, "Connection not authorized within timeout."},
		protocol.ErrTerminated:                          {4009, "You got disconnected by the app."},
		protocol.ErrOrigin:                              {4009, "Origin not allowed"},
		protocol.ErrOverCapacity:                        {4100, "Over capacity"},
		protocol.ErrReconnect:                           {4200, "Please reconnect immediately"},
		protocol.ErrPongTimeout:                         {4201, "Pong reply not received"},
		protocol.ErrInactive:                            {4202, "Closed after inactivity"},
		protocol.ErrClientEventRate:                     {4301, "Client event rejected due to rate limit"},
		protocol.WatchlistLimit(100):                    {4302, "Watchlist limit exceeded. Only the first 100 user IDs are accepted."},
		protocol.ErrInvalidJSON:                         {0, "Received invalid JSON"},
		protocol.ErrMissingEvent:                        {0, "Missing parameter: event"},
		protocol.ErrClientEventsDisabled:                {0, "To send client events, you must enable this feature in the Settings page of your dashboard."},
		protocol.ErrClientEventChannel:                  {0, "Client event rejected - only supported on private and presence channels"},
		protocol.NotSubscribed("private-chat"):          {0, "Cannot broadcast client event (connection not subscribed to channel private-chat)"},
		protocol.InvalidAuth("private-chat"):            {0, "Auth value for subscription to private-chat is invalid: should be of format 'key:signature'"},
		protocol.ErrSigninFormat:                        {0, "Invalid format: auth must have the format key:signature"},
		protocol.ErrUserInfo:                            {0, "user_info supplied to presence subscription is invalid - if supplied it must be a type of hash"},
		protocol.ErrPresenceFull:                        {0, "The maximum members per presence channel limit was reached"},
		protocol.ErrTooManyChannels:                     {0, "The maximum channels per connection limit was reached"},
		protocol.ErrOtherUser:                           {0, "Connection is already signed in as a different user"},
		protocol.ErrInternal:                            {0, "Internal error"},
		protocol.InvalidSignature("t", "d"):             {0, "Invalid signature: Expected HMAC SHA256 hex digest of t, but got d"},
		protocol.InvalidKey("k"):                        {0, "Invalid key in subscription auth data: 'k'"},
		protocol.MissingParameter("data.channel"):       {0, "Missing parameter: data.channel"},
		protocol.ExistingSubscription("news"):           {0, "Existing subscription to channel news"},
		protocol.NoSubscription("news"):                 {0, "No current subscription to channel news, or subscription in progress"},
		protocol.EventDataTooLong(10240):                {0, "The data content of this event exceeds the allowed maximum (10240 bytes)"},
		protocol.EventNameTooLong(200):                  {0, "The event name exceeds the allowed maximum (200 characters)"},
		protocol.UnknownEvent("x"):                      {0, "Unsupported event received on socket: x"},
		protocol.InvalidChannel("a b"):                  {0, "Invalid channel name: a b"},
		protocol.InvalidChannelData("why"):              {0, "Invalid channel_data: why"},
		protocol.InvalidUserData("why"):                 {0, "Invalid user_data: why"},
		protocol.OtherUsersChannel("#server-to-user-1"): {0, "Not signed in as the user of channel #server-to-user-1"},
		protocol.InvalidChannelData(protocol.ErrChannelDataMissing.Error()): {0, "Invalid channel_data: missing, and the connection is not signed in"},
	}
	for e, want := range tests {
		if e.Code != want.code || e.Message != want.message {
			t.Errorf("error = %d %q, want %d %q", e.Code, e.Message, want.code, want.message)
		}
		if closes := want.code != 0 && want.code < 4300; e.Code.Fatal() != closes {
			t.Errorf("%v: fatal is %t, want %t", e, e.Code.Fatal(), closes)
		}
	}
}

func TestErrorsRepeatLittleOfWhatTheClientSent(t *testing.T) {
	long := strings.Repeat("é", 5000)
	cut := strings.Repeat("é", 200)
	tests := map[string]struct{ got, want string }{
		"key":             {protocol.InvalidKey(long).Message, "Invalid key in subscription auth data: '" + cut + "'"},
		"app key":         {protocol.UnknownApp(long).Message, "App key " + cut + " not in this cluster. Did you forget to specify the cluster?"},
		"event":           {protocol.UnknownEvent(long).Message, "Unsupported event received on socket: " + cut},
		"not subscribed":  {protocol.NotSubscribed(long).Message, "Cannot broadcast client event (connection not subscribed to channel " + cut + ")"},
		"auth":            {protocol.InvalidAuth(long).Message, "Auth value for subscription to " + cut + " is invalid: should be of format 'key:signature'"},
		"channel":         {protocol.InvalidChannel(long).Message, "Invalid channel name: " + cut},
		"existing":        {protocol.ExistingSubscription(long).Message, "Existing subscription to channel " + cut},
		"missing":         {protocol.NoSubscription(long).Message, "No current subscription to channel " + cut + ", or subscription in progress"},
		"user":            {protocol.OtherUsersChannel(long).Message, "Not signed in as the user of channel " + cut},
		"signature":       {protocol.InvalidSignature(long, long).Message, "Invalid signature: Expected HMAC SHA256 hex digest of " + strings.Repeat("é", 512) + ", but got " + cut},
		"signature, rune": {protocol.InvalidSignature("a"+long, "").Message, "Invalid signature: Expected HMAC SHA256 hex digest of a" + strings.Repeat("é", 511) + ", but got "},
		"exactly 200":     {protocol.InvalidChannel(cut).Message, "Invalid channel name: " + cut},
		"invalid UTF-8":   {protocol.InvalidChannel("a\xff").Message, "Invalid channel name: a\uFFFD"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.got != test.want || !utf8.ValidString(test.got) {
				t.Errorf("message = %q, want %q", test.got, test.want)
			}
		})
	}
}

func TestErrorForTheLog(t *testing.T) {
	if got, want := protocol.ErrAppDisabled.Error(), "protocol: Application disabled (4003)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := protocol.ErrInvalidJSON.Error(), "protocol: Received invalid JSON"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
