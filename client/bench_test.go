package client_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/client"
)

// serveBare accepts connections over the loopback, does the handshake and
// hands them out. It reads nothing and has no goroutine per connection.
func serveBare(b *testing.B) (port int, accepted chan net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	accepted = make(chan net.Conn, 2000)
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReaderSize(conn, 512))
			if err != nil {
				continue
			}
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
			ws.WriteFrame(conn, ws.NewTextFrame(fmt.Appendf(nil, `{"event":"pusher:connection_established","data":"{\"socket_id\":\"%d.1\",\"activity_timeout\":120}"}`, n)))
			accepted <- conn
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, accepted
}

func dialBare(b *testing.B, port int) *client.Client {
	c, err := client.New("key", client.Config{
		Endpoint: client.Endpoint{Host: "127.0.0.1", Port: port, Insecure: true}, Proxy: noProxy,
		Queue: client.QueueConfig{Overflow: client.Block},
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// eventFrame is an event as it is sent, of 256 bytes.
func eventFrame() []byte {
	text := `{"event":"price-changed","channel":"ticker-eur","data":"{\"symbol\":\"EURUSD\",\"bid\":1.0812,\"ask\":1.0813,\"pad\":\"%s\"}"}`
	text = fmt.Sprintf(text, strings.Repeat("x", 256-len(text)+2))
	return ws.MustCompileFrame(ws.NewTextFrame([]byte(text)))
}

// BenchmarkReceive is what a client spends on an event of 256 bytes when
// events come as fast as they are taken, the operating system's share included.
func BenchmarkReceive(b *testing.B) {
	port, accepted := serveBare(b)
	c := dialBare(b, port)
	defer c.Shutdown(context.Background())
	done := make(chan struct{})
	n := 0
	c.Bind("price-changed", func(_ context.Context, e client.Event) {
		if n++; n == b.N {
			close(done)
		}
	})
	if err := c.Connect(); err != nil {
		b.Fatal(err)
	}
	conn := <-accepted
	defer conn.Close()
	frame := eventFrame()
	many := make([]byte, 0, 64*len(frame))
	for range 64 {
		many = append(many, frame...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for sent := 0; sent < b.N; sent += 64 {
			conn.Write(many[:min(64, b.N-sent)*len(frame)])
		}
	}()
	<-done
	b.StopTimer()
}

// BenchmarkLatency is the time from the service's write to the function that
// is bound, one event at a time. BenchmarkLatencyBare is the same without a
// client; the difference is what the client adds.
func BenchmarkLatency(b *testing.B) {
	port, accepted := serveBare(b)
	c := dialBare(b, port)
	defer c.Shutdown(context.Background())
	got := make(chan struct{}, 1)
	c.Bind("price-changed", func(context.Context, client.Event) { got <- struct{}{} })
	if err := c.Connect(); err != nil {
		b.Fatal(err)
	}
	conn := <-accepted
	defer conn.Close()
	frame := eventFrame()
	b.ReportAllocs()
	for b.Loop() {
		conn.Write(frame)
		<-got
	}
}

// BenchmarkLatencyBare reads the same bytes from a connection, and hands them
// to another goroutine.
func BenchmarkLatencyBare(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	reader, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	frame := eventFrame()
	got := make(chan struct{}, 1)
	go func() {
		in := make([]byte, len(frame))
		for {
			if _, err := io.ReadFull(reader, in); err != nil {
				return
			}
			got <- struct{}{}
		}
	}()
	for b.Loop() {
		conn.Write(frame)
		<-got
	}
	conn.Close()
	reader.Close()
}

// BenchmarkThousandClients is the memory of a client that is connected and
// idle, with one channel and one function, its stacks included. The sockets
// are on both sides of the process, without what the service has for its own.
func BenchmarkThousandClients(b *testing.B) {
	const count = 1000
	for b.Loop() {
		port, accepted := serveBare(b)
		before := memory()
		clients := make([]*client.Client, count)
		conns := make([]net.Conn, 0, count)
		for i := range clients {
			c := dialBare(b, port)
			clients[i] = c
			ch, err := c.Subscribe("news")
			if err != nil {
				b.Fatal(err)
			}
			ch.Bind("e", func(context.Context, client.Event) {})
			c.Connect()
			conns = append(conns, <-accepted)
		}
		for _, c := range clients {
			if err := c.AwaitConnected(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(memory()-before)/count, "B/client")
		b.ReportMetric(float64(runtime.NumGoroutine())/count, "goroutines/client")
		for _, conn := range conns {
			conn.Close()
		}
		var wg sync.WaitGroup
		for _, c := range clients {
			wg.Go(func() { c.Shutdown(context.Background()) })
		}
		wg.Wait()
	}
}

// memory is what is in use, of heap and stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
