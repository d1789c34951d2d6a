package importer

import (
	"slices"
	"strings"
)

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// prefixes stand in front of the variables of a server. Those that are not in
// aliases are told as lost.
var prefixes = map[string]string{"soketi": "SOKETI_", "reverb": "REVERB_", "laravel-websockets": "LARAVEL_WEBSOCKETS_", "pusher": "PUSHER_"}

// aliases are the variables of each server, with the setting of its file.
var aliases = map[string]map[string]string{
	"soketi": soketiVariables(map[string]string{
		"HOST": "host", "PORT": "port", "PATH_PREFIX": "pathPrefix", "DEBUG": "debug", "MODE": "mode",
		"DEFAULT_APP_ID": soketiPrefix + "0.id", "DEFAULT_APP_KEY": soketiPrefix + "0.key", "DEFAULT_APP_SECRET": soketiPrefix + "0.secret",
		"DEFAULT_APP_MAX_CONNS":                  soketiPrefix + "0.maxConnections",
		"DEFAULT_APP_ENABLE_CLIENT_MESSAGES":     soketiPrefix + "0.enableClientMessages",
		"DEFAULT_APP_ENABLED":                    soketiPrefix + "0.enabled",
		"DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC": soketiPrefix + "0.maxBackendEventsPerSecond",
		"DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC":  soketiPrefix + "0.maxClientEventsPerSecond",
		"DEFAULT_APP_MAX_READ_REQ_PER_SEC":       soketiPrefix + "0.maxReadRequestsPerSecond",
		"DEFAULT_APP_USER_AUTHENTICATION":        soketiPrefix + "0.enableUserAuthentication",
		"DEFAULT_APP_WEBHOOKS":                   soketiPrefix + "0.webhooks",
		"USER_AUTHENTICATION_TIMEOUT":            "userAuthenticationTimeout",
		"PRESENCE_MAX_MEMBERS":                   "presence.maxMembersPerChannel",
		"PRESENCE_MAX_MEMBER_SIZE":               "presence.maxMemberSizeInKb",
		"CHANNEL_LIMITS_MAX_NAME_LENGTH":         "channelLimits.maxNameLength",
		"CHANNEL_CACHE_TTL":                      "channelLimits.cacheTtl",
		"EVENT_MAX_CHANNELS_AT_ONCE":             "eventLimits.maxChannelsAtOnce",
		"EVENT_MAX_NAME_LENGTH":                  "eventLimits.maxNameLength",
		"EVENT_MAX_SIZE_IN_KB":                   "eventLimits.maxPayloadInKb",
		"EVENT_MAX_BATCH_SIZE":                   "eventLimits.maxBatchSize",
		"HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD":   "httpApi.acceptTraffic.memoryThreshold",
		"SSL_CERT":                               "ssl.certPath", "SSL_KEY": "ssl.keyPath", "SSL_PASS": "ssl.passphrase", "SSL_CA": "ssl.caPath",
		"SHUTDOWN_GRACE_PERIOD": "shutdownGracePeriod",
		"WEBHOOKS_BATCHING":     "webhooks.batching.enabled", "WEBHOOKS_BATCHING_DURATION": "webhooks.batching.duration",
		"METRICS_ENABLED": "metrics.enabled", "METRICS_HOST": "metrics.host", "METRICS_SERVER_PORT": "metrics.port",
		"METRICS_DRIVER": "metrics.driver", "METRICS_PROMETHEUS_PREFIX": "metrics.prometheus.prefix",
		"ADAPTER_DRIVER": "adapter.driver", "ADAPTER_NATS_SERVERS": "adapter.nats.servers",
		"ADAPTER_NATS_USER": "adapter.nats.user", "ADAPTER_NATS_PASSWORD": "adapter.nats.pass",
		"APP_MANAGER_DRIVER": "appManager.driver", "CACHE_DRIVER": "cache.driver", "QUEUE_DRIVER": "queue.driver", "RATE_LIMITER_DRIVER": "rateLimiter.driver",
	}),
	"reverb": {
		"REVERB_SERVER": "default", "REVERB_SERVER_HOST": "servers.reverb.host", "REVERB_SERVER_PORT": "servers.reverb.port", "REVERB_SERVER_PATH": "servers.reverb.path",
		"REVERB_MAX_REQUEST_SIZE": "servers.reverb.max_request_size", "REVERB_SCALING_ENABLED": "servers.reverb.scaling.enabled", "REVERB_SCALING_CHANNEL": "servers.reverb.scaling.channel",
		"REVERB_APP_ID": "apps.apps.0.app_id", "REVERB_APP_KEY": "apps.apps.0.key", "REVERB_APP_SECRET": "apps.apps.0.secret",
		"REVERB_HOST": "apps.apps.0.options.host", "REVERB_PORT": "apps.apps.0.options.port", "REVERB_SCHEME": "apps.apps.0.options.scheme",
		"REVERB_APP_PING_INTERVAL": "apps.apps.0.ping_interval", "REVERB_APP_ACTIVITY_TIMEOUT": "apps.apps.0.activity_timeout",
		"REVERB_APP_MAX_CONNECTIONS": "apps.apps.0.max_connections", "REVERB_APP_MAX_MESSAGE_SIZE": "apps.apps.0.max_message_size",
		"REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM": "apps.apps.0.accept_client_events_from",
		"REVERB_APP_RATE_LIMITING_ENABLED":     "apps.apps.0.rate_limiting.enabled", "REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS": "apps.apps.0.rate_limiting.max_attempts",
		"REVERB_APP_RATE_LIMITING_MAX_ATTEMPTS": "apps.apps.0.rate_limiting.max_attempts", "REVERB_APP_RATE_LIMITING_DECAY_SECONDS": "apps.apps.0.rate_limiting.decay_seconds",
		"REVERB_APP_RATE_LIMIT_DECAY_SECONDS": "apps.apps.0.rate_limiting.decay_seconds", "REVERB_APP_RATE_LIMITING_TERMINATE": "apps.apps.0.rate_limiting.terminate_on_limit",
		"REVERB_PULSE_INGEST_INTERVAL": "servers.reverb.pulse_ingest_interval", "REVERB_TELESCOPE_INGEST_INTERVAL": "servers.reverb.telescope_ingest_interval",
	},
	"laravel-websockets": {
		"LARAVEL_WEBSOCKETS_PORT": "dashboard.port", "LARAVEL_WEBSOCKETS_DOMAIN": "dashboard.domain", "LARAVEL_WEBSOCKETS_PATH": "dashboard.path",
		"PUSHER_APP_ID": "apps.0.id", "PUSHER_APP_KEY": "apps.0.key", "PUSHER_APP_SECRET": "apps.0.secret", "APP_NAME": "apps.0.name", "PUSHER_APP_PATH": "apps.0.path",
		"LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT": "ssl.local_cert", "LARAVEL_WEBSOCKETS_SSL_LOCAL_PK": "ssl.local_pk",
		"LARAVEL_WEBSOCKETS_SSL_CA": "ssl.capath", "LARAVEL_WEBSOCKETS_SSL_PASSPHRASE": "ssl.passphrase",
		"WEBSOCKETS_REPLICATION_MODE": "replication.mode", "WEBSOCKETS_REDIS_REPLICATION_CONNECTION": "replication.modes.redis.connection",
	},
	"pusher": {
		"PUSHER_APP_ID": "apps.0.id", "PUSHER_APP_KEY": "apps.0.key", "PUSHER_APP_SECRET": "apps.0.secret",
		"PUSHER_KEY": "apps.0.key", "PUSHER_SECRET": "apps.0.secret", "PUSHER_URL": "url",
	},
}

// soketiVariables have SOKETI_ in front.
func soketiVariables(short map[string]string) map[string]string {
	long := make(map[string]string, len(short))
	for name, to := range short {
		long["SOKETI_"+name] = to
	}
	return long
}

type because struct{ path, text string }

const byCluster = "is not used. For more than one node set cluster.listen, join and cluster.secret (docs/cluster.md)"

// reasons say why settings have no counterpart, by the beginning of their
// paths. The first that fits is told.
var reasons = map[string][]because{
	"soketi": {
		{"mode", "every node takes clients and sends webhooks; there are no workers"},
		{"adapter", byCluster}, {"ADAPTER", byCluster}, {"cluster", byCluster}, {"CLUSTER", byCluster},
		{"database", "no database is used; apps are in the file or in data_dir"}, {"DB", "no database is used; apps are in the file or in data_dir"},
		{"databasePooling", "no database is used"}, {"appManager", "apps are in memory, and changes hold at once"}, {"APP_MANAGER", "apps are in memory, and changes hold at once"},
		{"cache", "what cache channels remember is kept by the service itself"}, {"CACHE", "what cache channels remember is kept by the service itself"},
		{"queue", "the queue of webhooks is inside, and survives a restart"}, {"QUEUE", "the queue of webhooks is inside, and survives a restart"},
		{"rateLimiter", "rates are counted on each node"}, {"RATE_LIMITER", "rates are counted on each node"},
		{"httpApi.acceptTraffic", "/accept-traffic answers as /ready does; max_connections limits what a node takes"},
		{"ssl.passphrase", "the key has to be without a passphrase: openssl pkey -in key.pem -out plain.pem"},
		{"ssl.caPath", "put the chain into tls.cert_file, behind the certificate"},
		{"cors", "pages should not call the HTTP API; http_api.cors lets them"},
		{"metrics", "metrics are for Prometheus, and their names begin with belfry_"},
		{"instance", "set cluster.name to name a node"},
		{"CHANNEL_MAX_NAME_LENGTH", "soketi does not read this either; it reads SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH"},
	},
	"reverb": {
		{"servers.reverb.scaling", byCluster}, {"servers.reverb.pulse", "there are no Pulse cards; see /metrics"}, {"servers.reverb.telescope", "Telescope shows nothing of it; see /metrics"},
		{"servers.reverb.options", "only a certificate and its key are read, from files"}, {"servers", "is of a server that is not the default"},
		{"apps.provider", "apps of a class of your own can be made with the admin API"},
	},
	"laravel-websockets": {
		{"dashboard", "belfry console opens the console of the service"}, {"managers", "apps are in the file or in data_dir"},
		{"statistics", "usage is counted each minute and kept for 31 days: belfry apps usage"}, {"replication", byCluster},
		{"handlers", "PHP classes are not called; use webhooks"}, {"promise_resolver", "PHP classes are not called"},
		{"ssl.passphrase", "the key has to be without a passphrase: openssl pkey -in key.pem -out plain.pem"},
		{"ssl", "put the chain into tls.cert_file, behind the certificate"},
	},
	"pusher": {
		{"APP_CLUSTER", "clients and backends need a host and a port instead"}, {"CLUSTER", "clients and backends need a host and a port instead"},
		{"HOST", "stays in this file, with the host of your service"}, {"PORT", "stays in this file, with the port of your service"}, {"SCHEME", "stays in this file: https or http"},
	},
}

// appReasons say the same of settings of apps, by the end of their paths.
var appReasons = []because{
	{".ping_interval", "silent clients are pinged after activity_timeout"},
	{".rate_limiting.terminate_on_limit", "a client above the limit is answered with 4301 and stays connected"},
	{".host", "clients know the host"},
}

func reasonOfApp(path string) (string, bool) {
	for _, r := range appReasons {
		if strings.HasSuffix(path, r.path) {
			return r.text, true
		}
	}
	return "", false
}
