package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/setting"
)

// clusterSettings say who the other nodes are.
var clusterSettings = []setting.Setting[Config]{
	setting.Row("join", "[]", "list of addresses",
		"Other nodes of the cluster, as their cluster.listen is reached: 10.0.0.1:6003,10.0.0.2:6003,10.0.0.3:6003, or a name that stands for all of them. This node may be one of them, so that all nodes can have the same list. At their very first start all of them have to be there; later, more than half.",
		setting.List(func(c *Config) *[]string { return &c.Server.Cluster.Join }, parsePeer)),
	setting.Row("witness", "false", setting.KindBool,
		"Makes this a node without clients, which counts when more than half of the nodes are asked for: a small third one beside two. It ignores listen and tls.listen.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.Cluster.Witness }, setting.Bool)),
	setting.Secret(setting.Row("nats_url", `""`, "NATS URL",
		"A NATS with JetStream to stand on instead of the one inside, which also joins the nodes that have the same: nats://user:password@host:4222. Several servers of one cluster are separated by commas. Write one with a password in the file or the variable: every user of the machine can read flags.",
		setting.Scalar(func(c *Config) *string { return &c.Server.EngineURL }, parseEngineURL))),
	setting.Row("cluster.listen", `""`, setting.KindAddress,
		"Where other nodes connect, and what makes this node one of a cluster: 0.0.0.0:6003. Needs cluster.secret. Keep it away from the internet.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.Listen }, parseClusterListen)),
	setting.Row("cluster.advertise", `""`, setting.KindAddress,
		"How other nodes reach cluster.listen, where they can not see it themselves: behind address translation.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.Advertise }, parseAdvertise)),
	setting.Row("cluster.name", `""`, setting.KindText,
		"What this node is called, different for every one. Without it the service makes one of the name of the host at its first start and keeps it in `node` in data_dir.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.Name }, parseNodeName)),
	setting.Secret(setting.Row("cluster.secret", `""`, setting.KindText,
		"What all nodes of the cluster know and nobody else: at least 16 characters, from openssl rand -hex 20. Without cluster.tls it goes over the network as it is.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.Secret }, parseSecret))),
	setting.Row("cluster.secret_file", `""`, setting.KindFile,
		"A file that has cluster.secret, instead of it.",
		setting.Scalar(func(c *Config) *string { return &c.SecretFile }, setting.Any)),
	setting.Row("cluster.lease", "5s", setting.KindDuration,
		"How long a node may be silent until the others count it as dead. The same on all nodes.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Cluster.Lease }, setting.Duration(time.Second, time.Minute))),
	setting.Row("cluster.grace", "5s", setting.KindDuration,
		"How long the clients of a dead node have to come back to others before they count as gone. The same on all nodes. 0s is none.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Cluster.Grace }, parseGrace)),
	setting.Row("cluster.tls.cert_file", `""`, setting.KindFile,
		"Certificate that this node shows to others, in PEM form, with its chain. With it, nodes encrypt what they say and refuse whoever has no certificate of cluster.tls.ca_file. No name or address in it is looked at. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.TLSCertFile }, setting.Any)),
	setting.Row("cluster.tls.key_file", `""`, setting.KindFile,
		"Private key in PEM form that belongs to cluster.tls.cert_file. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.TLSKeyFile }, setting.Any)),
	setting.Row("cluster.tls.ca_file", `""`, setting.KindFile,
		"Certificates in PEM form of the authority that signs those of the nodes, and nobody else's. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Cluster.TLSCAFile }, setting.Any)),
}

// natsURL is the one secret that has a flag, because it need not be one.
const natsURL = "nats_url"

// hasFlag reports whether a setting can be given on the command line.
func hasFlag(s setting.Setting[Config]) bool { return !s.Secret || s.Name == natsURL }

// parsePeer reads the address of another node.
func parsePeer(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" || port == "0" {
		return "", fmt.Errorf("%q is not the address of a node such as 10.0.0.1:6003 or nodes.internal:6003", text)
	}
	return setting.Address(text)
}

func parseClusterListen(text string) (string, error) {
	address, err := setting.Address(text)
	if err != nil || address == "" {
		return "", err
	}
	if _, port, _ := net.SplitHostPort(address); port == "0" {
		return "", fmt.Errorf("%q has no port that others could know", text)
	}
	return address, nil
}

func parseAdvertise(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return parsePeer(text)
}

var nodeName = regexp.MustCompile(`^[-_A-Za-z0-9]{0,64}$`)

func parseNodeName(text string) (string, error) {
	if !nodeName.MatchString(text) {
		return "", fmt.Errorf("%q is not a name of up to 64 letters, digits, - and _", text)
	}
	return text, nil
}

const howToSecret = "make one with: openssl rand -hex 20"

// parseSecret reads what nodes know each other by. Its errors never repeat it.
func parseSecret(text string) (string, error) {
	switch {
	case text == "":
		return "", nil
	case len(text) < minToken:
		return "", fmt.Errorf("is shorter than %d characters; %s", minToken, howToSecret)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("has a space or a character that is not ASCII; " + howToSecret)
	}
	return text, nil
}

// cluster notes what does not make a cluster.
func (l *loader) cluster() {
	c := &l.config.Server.Cluster
	l.clusterSecret()
	l.clusterTLS()
	if c.Witness {
		l.ignoreListeners()
	}
	if l.config.Server.EngineURL != "" {
		if c.Listen != "" {
			l.problems.add(l.place("cluster.listen"), "cluster.listen", "is given, and so is nats_url; nodes are joined by one or the other")
		}
		if len(c.Join) > 0 {
			l.problems.add(l.place("join"), "join", "is given, and so is nats_url; nodes that have the same nats_url need no list")
		}
		if c.Witness {
			l.problems.add(l.place("witness"), "witness", "is given, and so is nats_url; a NATS of yours needs no witness")
		}
		return
	}
	if c.Listen != "" {
		return
	}
	const how = "is given, but cluster.listen is not; add cluster.listen: 0.0.0.0:6003"
	if len(c.Join) > 0 {
		l.problems.add(l.place("join"), "join", how)
	}
	if c.Witness {
		l.problems.add(l.place("witness"), "witness", how)
	}
}

// clusterSecret finds the secret, which a cluster must have.
func (l *loader) clusterSecret() {
	c := &l.config.Server.Cluster
	file := l.config.SecretFile
	switch {
	case file != "" && c.Secret != "":
		l.problems.add(l.place("cluster.secret_file"), "cluster.secret_file", "is given, and so is cluster.secret; take one away")
	case file != "":
		text, ok := l.read("cluster.secret_file", file)
		if !ok {
			return
		}
		secret, err := parseSecret(strings.TrimSpace(string(text)))
		switch {
		case err != nil:
			l.problems.add(l.place("cluster.secret_file"), "cluster.secret_file", "what is in %s %s", file, err)
		case secret == "":
			l.problems.add(l.place("cluster.secret_file"), "cluster.secret_file", "there is nothing in %s; %s", file, howToSecret)
		}
		c.Secret = secret
	case c.Listen != "" && c.Secret == "" && !l.problems.about("cluster.secret"):
		l.problems.add(l.place("cluster.listen"), "cluster.secret", "is missing; cluster.listen needs one that all nodes know; %s", howToSecret)
	}
}

// clusterTLS notes files of which some are missing or of no use.
func (l *loader) clusterTLS() {
	c := &l.config.Server.Cluster
	files := []struct{ name, file string }{
		{"cluster.tls.cert_file", c.TLSCertFile},
		{"cluster.tls.key_file", c.TLSKeyFile},
		{"cluster.tls.ca_file", c.TLSCAFile},
	}
	given, texts := "", map[string][]byte{}
	for _, f := range files {
		if f.file != "" {
			given = f.name
		}
	}
	for _, f := range files {
		if given != "" && f.file == "" {
			l.problems.add(l.place(given), f.name, "is missing; %s needs it", given)
		}
		if text, ok := l.read(f.name, f.file); ok {
			texts[f.name] = text
		}
	}
	cert, key := texts["cluster.tls.cert_file"], texts["cluster.tls.key_file"]
	if cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			l.problems.add(l.place("cluster.tls.cert_file"), "cluster.tls.cert_file", "does not make a pair with cluster.tls.key_file: %s", err)
		} else if pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
			l.config.Warnings.add(l.place("cluster.tls.cert_file"), "cluster.tls.cert_file", "has expired on %s; other nodes will refuse it", pair.Leaf.NotAfter.Format(time.DateOnly))
		}
	}
	if ca := texts["cluster.tls.ca_file"]; ca != nil && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		l.problems.add(l.place("cluster.tls.ca_file"), "cluster.tls.ca_file", "there is no certificate in %s", c.TLSCAFile)
	}
}

// ignoreListeners takes away the listeners for clients, which a witness does
// not have.
func (l *loader) ignoreListeners() {
	s := &l.config.Server
	for _, listener := range []struct {
		name    string
		address *string
	}{{"listen", &s.Listen}, {"tls.listen", &s.TLSListen}} {
		if place := l.place(listener.name); *listener.address != "" && place.Layer != layerDefault {
			l.config.Warnings.add(place, listener.name, "is ignored: a witness has no clients")
		}
		*listener.address = ""
	}
}
