package config

// Listeners are where a node listens, as its configuration has it.
type Listeners struct {
	Admin, Plain, TLS string // addresses; empty: none
	AdminTLS          bool   // Admin is encrypted
}

// ReadListeners returns where a node listens that was started with s. Mistakes
// are no reason not to know it: the node may run since before they were made.
func ReadListeners(s Source) Listeners {
	server := read(s).config.Server
	return Listeners{Admin: server.AdminListen, Plain: server.Listen, TLS: server.TLSListen, AdminTLS: server.AdminTLSCertFile != ""}
}
