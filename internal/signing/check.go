package signing

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/protocol"
)

// An answer is what an application's auth endpoint has said, and to what.
type answer struct {
	Socket       string  `json:"socket_id"`
	Channel      string  `json:"channel"`
	Auth         string  `json:"auth"`
	ChannelData  *string `json:"channel_data"`
	SharedSecret string  `json:"shared_secret"`
}

// An opinion is what is to be thought of it, in the words of belfry doctor.
type opinion struct {
	Verdict string `json:"verdict"`          // ok, or failed
	Detail  string `json:"detail"`           // what was seen
	Advice  string `json:"advice,omitempty"` // what to do about it
	Text    string `json:"text,omitempty"`   // what was to be signed
}

func failed(detail, advice string) opinion {
	return opinion{Verdict: "failed", Detail: detail, Advice: advice}
}

func (a *API) check(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	var given answer
	if err := jsonhttp.Read(r, &given); err != nil {
		return err
	}
	socket, ok := protocol.ParseSocketID(given.Socket)
	if !ok {
		return jsonhttp.Refuse(http.StatusBadRequest, "socket_id is no socket id, such as 1234.5678.")
	}
	if !protocol.KindOf(given.Channel).Private() || protocol.CheckChannel(given.Channel, app.Limits.ChannelNameLength) != nil {
		return jsonhttp.Refuse(http.StatusBadRequest, "channel is not the name of a private, presence or encrypted channel.")
	}
	return jsonhttp.Write(w, http.StatusOK, judge(app, socket, given))
}

// judge says what is wrong with an answer, the first thing that is.
func judge(app *apps.App, socket protocol.SocketID, given answer) opinion {
	key, digest, ok := protocol.SplitAuth(given.Auth)
	if !ok || key == "" || digest == "" {
		return failed("auth is not the key of the app, a colon and a signature", "let the server library of your backend make the answer; it has a call for that")
	}
	signer := app.Signer(key)
	if signer == nil {
		return failed("auth begins with a key that this app does not have", "give the backend the key and the secret of this app; the page Keys lists them")
	}
	text := protocol.ChannelText(socket, given.Channel)
	if given.ChannelData != nil {
		text = protocol.ChannelDataText(socket, given.Channel, *given.ChannelData)
	}
	if !signer.Verify([]byte(text), digest) {
		o := explainSignature(app, key, digest, socket, given)
		o.Text = text
		return o
	}
	o := judgeMore(given)
	o.Text = text
	return o
}

// explainSignature finds out what was signed in place of what should have been, or
// with which secret.
func explainSignature(app *apps.App, key, digest string, socket protocol.SocketID, given answer) opinion {
	texts := map[string]string{"": protocol.ChannelText(socket, given.Channel)}
	if given.ChannelData != nil {
		texts[""] = protocol.ChannelDataText(socket, given.Channel, *given.ChannelData)
		texts["channel_data is not part of what was signed"] = protocol.ChannelText(socket, given.Channel)
	}
	for _, k := range app.Keys {
		signer := app.Signer(k.Key)
		if signer == nil {
			continue // it has no secret
		}
		for what, text := range texts {
			switch {
			case !signer.Verify([]byte(text), digest):
			case what != "":
				return failed(what, "sign socket_id:channel:channel_data, with channel_data as the very text that the answer has")
			case k.Key != key:
				return failed("it is signed with the secret of the app's other key "+k.Key, "let key and secret be of one pair")
			}
		}
	}
	advice := "compare the secret of the backend with the one that was shown when the key was made; if nobody knows it, add a key"
	if given.ChannelData != nil {
		advice += ". The same is seen when channel_data was written as JSON once more after it was signed"
	}
	return failed("the signature is wrong: it is of another text, or made with another secret", advice)
}

// judgeMore looks at what stands beside a signature that is right.
func judgeMore(given answer) opinion {
	kind := protocol.KindOf(given.Channel)
	if kind.Presence() {
		if given.ChannelData == nil {
			return failed("a presence channel needs channel_data, and the answer has none", "let the backend say who the user is: its library takes a user_id for presence channels")
		}
		var member struct {
			ID json.RawMessage `json:"user_id"`
		}
		if json.Unmarshal([]byte(*given.ChannelData), &member) != nil || len(member.ID) == 0 || strings.Trim(string(member.ID), `" `) == "" || string(member.ID) == "null" {
			return failed("channel_data is not JSON with a user_id", `channel_data is a text such as {"user_id":"7","user_info":{"name":"Ann"}}`)
		}
	}
	if kind.Encrypted() && given.SharedSecret == "" {
		return failed("an encrypted channel needs shared_secret, and the answer has none", "give the server library its encryption master key, and let it authorize the channel")
	}
	return opinion{Verdict: "ok", Detail: fmt.Sprintf("the signature is right, and made with the key %s", given.Auth[:strings.IndexByte(given.Auth, ':')])}
}
