package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/server"
)

func TestClusterMistakes(t *testing.T) {
	const secret = "cluster: {listen: \":6003\", secret: 0123456789abcdef"
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"join without a listener": {"join: [\"a:1\"]", []string{
			"belfry.yaml:1: join: is given, but cluster.listen is not; add cluster.listen: 0.0.0.0:6003"}},
		"witness without a listener": {"witness: true", []string{
			"belfry.yaml:1: witness: is given, but cluster.listen is not; add cluster.listen: 0.0.0.0:6003"}},
		"no secret": {"cluster: {listen: \":6003\"}", []string{
			"belfry.yaml:1: cluster.secret: is missing; cluster.listen needs one that all nodes know; make one with: openssl rand -hex 20"}},
		"short secret": {"cluster: {listen: \":6003\", secret: 0123456789abcde}", []string{
			"belfry.yaml:1: cluster.secret: is shorter than 16 characters; make one with: openssl rand -hex 20"}},
		"two secrets": {secret + ", secret_file: good}", []string{
			"belfry.yaml:1: cluster.secret_file: is given, and so is cluster.secret; take one away"}},
		"short secret in a file": {"cluster: {listen: \":6003\", secret_file: short}", []string{
			"belfry.yaml:1: cluster.secret_file: what is in short is shorter than 16 characters; make one with: openssl rand -hex 20"}},
		"nothing in the file": {"cluster: {listen: \":6003\", secret_file: empty}", []string{
			"belfry.yaml:1: cluster.secret_file: there is nothing in empty; make one with: openssl rand -hex 20"}},
		"no file": {"cluster: {listen: \":6003\", secret_file: none}", []string{
			"belfry.yaml:1: cluster.secret_file: none can not be read: no such file or directory"}},
		"a NATS as well": {"nats_url: nats://h\njoin: [\"a:1\"]\nwitness: true\n" + secret + "}", []string{
			"belfry.yaml:2: join: is given, and so is nats_url; nodes that have the same nats_url need no list",
			"belfry.yaml:3: witness: is given, and so is nats_url; a NATS of yours needs no witness",
			"belfry.yaml:4: cluster.listen: is given, and so is nats_url; nodes are joined by one or the other"}},
		"addresses": {"join: [\"a\", \":6003\", \"b:0\"]\ncluster: {listen: \":0\", advertise: c, name: a.b}", []string{
			`belfry.yaml:1: join: "a" is not the address of a node such as 10.0.0.1:6003 or nodes.internal:6003; ":6003" is not the address of a node such as 10.0.0.1:6003 or nodes.internal:6003; "b:0" is not the address of a node such as 10.0.0.1:6003 or nodes.internal:6003`,
			`belfry.yaml:2: cluster.listen: ":0" has no port that others could know`,
			`belfry.yaml:2: cluster.advertise: "c" is not the address of a node such as 10.0.0.1:6003 or nodes.internal:6003`,
			`belfry.yaml:2: cluster.name: "a.b" is not a name of up to 64 letters, digits, - and _`}},
		"part of the files": {secret + ", tls: {cert_file: cert.pem}}", []string{
			"belfry.yaml:1: cluster.tls.key_file: is missing; cluster.tls.cert_file needs it",
			"belfry.yaml:1: cluster.tls.ca_file: is missing; cluster.tls.cert_file needs it"}},
		"other key": {secret + ", tls: {cert_file: cert.pem, key_file: other.key, ca_file: other.key}}", []string{
			"belfry.yaml:1: cluster.tls.cert_file: does not make a pair with cluster.tls.key_file: tls: private key does not match public key",
			"belfry.yaml:1: cluster.tls.ca_file: there is no certificate in other.key"}},
		"clash": {"cluster: {listen: \"0.0.0.0:6001\", secret: 0123456789abcdef}", []string{
			"belfry.yaml:1: cluster.listen: 0.0.0.0:6001 is taken by listen (0.0.0.0:6001)"}},
		"lease": {"cluster: {lease: 100ms, grace: 2h}", []string{
			"belfry.yaml:1: cluster.lease: 100ms is below 1s", "belfry.yaml:1: cluster.grace: 2h is above 1h"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inFile(t, tt.file)
			for file, text := range map[string]string{"good": "0123456789abcdef\n", "short": "0123\n", "empty": "\n"} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
			writePair(t, "other.pem", "other.key", time.Now().Add(time.Hour))
			expectProblems(t, s, tt.want)
		})
	}
}

func TestClusterIsRead(t *testing.T) {
	s := inFile(t, `
join: [a.internal:6003, "[::1]:6003"]
cluster:
  listen: 0.0.0.0:6003
  secret_file: secret
  grace: 0s
  tls: {cert_file: cert.pem, key_file: key.pem, ca_file: cert.pem}
drain_delay: 2s
`)
	writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
	if err := os.WriteFile("secret", []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Environ = []string{"BELFRY_CLUSTER_NAME=one"}
	s.Flags = withFlags(t, "--cluster-lease", "3s", "--join", "b:1,c:2", "--cluster-advertise", "d:3")
	want := server.ClusterConfig{
		Name: "one", Listen: "0.0.0.0:6003", Advertise: "d:3", Join: []string{"b:1", "c:2"}, Secret: "0123456789abcdef",
		TLSCertFile: "cert.pem", TLSKeyFile: "key.pem", TLSCAFile: "cert.pem",
		Lease: 3 * time.Second, Grace: -1, DrainDelay: 2 * time.Second,
	}
	c := load(t, s)
	if diff := cmp.Diff(want, c.Server.Cluster); diff != "" {
		t.Errorf("Cluster (-want +got):\n%s", diff)
	}
	if !c.Server.Clustered() || len(c.Warnings) != 0 {
		t.Errorf("Clustered() = %t, warnings %v", c.Server.Clustered(), c.Warnings)
	}
	var b strings.Builder
	if err := c.WriteSummary(&b); err != nil || strings.Contains(b.String(), "0123") {
		t.Errorf("the summary (%v) shows the secret:\n%s", err, &b)
	}
}

func TestClusterDefaults(t *testing.T) {
	c := load(t, Source{})
	if diff := cmp.Diff(server.ClusterConfig{Lease: server.DefaultLease, Grace: server.DefaultGrace}, c.Server.Cluster); diff != "" {
		t.Errorf("Cluster (-want +got):\n%s", diff)
	}
	if c.Server.Clustered() {
		t.Error("Clustered() = true by default")
	}
	s := Source{Flags: withFlags(t, "--nats-url", "nats://h")}
	if c := load(t, s); !c.Server.Clustered() || c.Server.EngineURL != "nats://h" {
		t.Errorf("with --nats-url, Clustered() = %t and the URL is %q", c.Server.Clustered(), c.Server.EngineURL)
	}
}

func TestWitnessHasNoClients(t *testing.T) {
	const file = "witness: true\ncluster: {listen: \":6001\", secret: 0123456789abcdef}\n"
	c := load(t, inFile(t, file))
	if c.Server.Listen != "" || !c.Server.Cluster.Witness || len(c.Warnings) != 0 {
		t.Errorf("listen = %q, witness = %t, warnings = %v", c.Server.Listen, c.Server.Cluster.Witness, c.Warnings)
	}
	c = load(t, inFile(t, file+"listen: \":7001\"\n"))
	if want := "belfry.yaml:3: listen: is ignored: a witness has no clients"; c.Server.Listen != "" || c.Warnings.Error() != want {
		t.Errorf("listen = %q, warnings = %v, want %s", c.Server.Listen, c.Warnings, want)
	}
}
