package importer

import "bytes"

// Recognize returns the server whose configuration text is, or nothing. It
// looks for names that belfry.yaml does not have.
func Recognize(text []byte) (server string) {
	text = text[:min(len(text), 1<<20)]
	has := func(words ...string) bool {
		for _, word := range words {
			if bytes.Contains(text, []byte(word)) {
				return true
			}
		}
		return false
	}
	switch format := kindOf(text); {
	case format == kindPHP && has("REVERB_", "'reverb'"):
		return "reverb"
	case format == kindPHP && has("LaravelWebSockets", "LARAVEL_WEBSOCKETS_"):
		return "laravel-websockets"
	case format == kindJSON && has(`"appManager"`, `"appManager.array.apps`, `"eventLimits"`, `"channelLimits"`):
		return "soketi"
	case format == kindSQL && has("max_backend_events_per_sec"):
		return "soketi"
	case format == kindSQL && has("websockets_apps"):
		return "laravel-websockets"
	case format != kindEnv:
		return ""
	case has("SOKETI_DEFAULT_", "SOKETI_APP_", "SOKETI_PORT="):
		return "soketi"
	case has("REVERB_APP_KEY="):
		return "reverb"
	case has("LARAVEL_WEBSOCKETS_"):
		return "laravel-websockets"
	case has("PUSHER_APP_KEY=", "PUSHER_URL="):
		return "pusher"
	}
	return ""
}
