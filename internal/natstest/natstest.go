// Package natstest runs NATS servers inside of tests. It knows nothing of what
// they are used for.
package natstest

import (
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long a server may take to start.
const patience = time.Minute

// AnyPort has a server listen on a free port.
const AnyPort = natsserver.RANDOM_PORT

// InProcess are options of a server that nobody reaches over the network.
func InProcess() *natsserver.Options { return &natsserver.Options{DontListen: true} }

// Loopback are options of a server that listens on the loopback interface.
func Loopback(port int) *natsserver.Options {
	return &natsserver.Options{Host: "127.0.0.1", Port: port}
}

// Kept are those of one that has JetStream too, with its store in dir.
func Kept(port int, dir string) *natsserver.Options {
	o := Loopback(port)
	o.JetStream, o.StoreDir = true, dir
	return o
}

// Start runs a server until [Stop], or the end of the test.
func Start(t testing.TB, o *natsserver.Options) *natsserver.Server {
	t.Helper()
	o.NoSigs, o.NoLog = true, true
	s, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { Stop(s) })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

// Stop ends a server, and returns when it has ended.
func Stop(s *natsserver.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// JetStream runs a server inside of the process until the end of the test, with its
// store in a directory of the test, and returns the way to its streams.
func JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	o := InProcess()
	o.JetStream, o.StoreDir = true, t.TempDir()
	conn, err := nats.Connect("", nats.InProcessServer(Start(t, o)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
