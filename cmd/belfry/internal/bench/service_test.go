package bench

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/server"
)

// startService runs a real node and returns the app on it, without limits and
// after change.
func startService(t *testing.T, change ...func(*apps.App)) Target {
	t.Helper()
	app := &apps.App{ID: "7", Keys: []apps.Key{{Key: "the-key", Secret: "the-secret"}}, ClientEvents: true,
		ActivityTimeout: apps.DefaultActivityTimeout, Limits: apps.Unlimited()}
	for _, c := range change {
		c(app)
	}
	node, err := server.New(server.Config{Listen: "127.0.0.1:0", Path: "/under", Apps: []*apps.App{app}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the node stopped with %v", err)
		}
	})
	return Target{
		URL:   &url.URL{Scheme: "http", Host: node.Addr().String(), Path: "/under"},
		AppID: "7", Key: "the-key", Secret: "the-secret",
	}
}

// throughTLS returns the same target behind a proxy that ends TLS.
func throughTLS(t *testing.T, target Target) Target {
	t.Helper()
	// A test server is where a certificate for 127.0.0.1 comes from.
	site := httptest.NewUnstartedServer(nil)
	site.StartTLS()
	certificates, trust := site.TLS.Certificates, site.Client().Transport
	site.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates})
	if err != nil {
		t.Fatal(err)
	}
	startProxy(t, listener, target.URL.Host, nil)
	target.URL = &url.URL{Scheme: "https", Host: listener.Addr().String(), Path: target.URL.Path}
	target.TLS = clientTLS(trust)
	return target
}

// A tamperer sees every frame from the service and returns what goes on.
type tamperer func(frame []byte, payload []byte) []byte

// throughTamperer returns the same target behind a proxy that tampers with
// what the service sends to clients.
func throughTamperer(t *testing.T, target Target, tamper tamperer) Target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	startProxy(t, listener, target.URL.Host, tamper)
	target.URL = &url.URL{Scheme: "http", Host: listener.Addr().String(), Path: target.URL.Path}
	return target
}

// startProxy hands connections on until the test ends.
func startProxy(t *testing.T, listener net.Listener, to string, tamper tamperer) {
	var all sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			service, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			all.Go(func() { forward(service, client, nil) })
			all.Go(func() { forward(client, service, tamper) })
		}
	})
}

// forward copies from src to dst until either ends, and then ends both.
func forward(dst, src net.Conn, tamper tamperer) {
	defer dst.Close()
	defer src.Close()
	var frames reassembly
	upgraded := false
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		out := buf[:n]
		switch {
		case tamper == nil:
		case upgraded:
			out = tampered(&frames, out, tamper)
		default:
			head, rest, websocket := cutUpgrade(out)
			if upgraded = websocket; upgraded {
				out = append(head, tampered(&frames, rest, tamper)...)
			}
		}
		if _, err := dst.Write(out); err != nil {
			return
		}
	}
}

func tampered(frames *reassembly, in []byte, tamper tamperer) []byte {
	var out []byte
	err := frames.take(in, func(opcode byte, payload []byte) error {
		out = append(out, tamper(serverFrame(ws.OpCode(opcode), true, payload), payload)...)
		return nil
	})
	if err != nil {
		panic(err) // the service is ours
	}
	return out
}
