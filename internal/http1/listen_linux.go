package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belfryhq/belfry/internal/accept"
)

// Listen returns a server for the connections of l, which it owns. It has begun
// to accept.
func Listen(l net.Listener, cfg Config) (*Server, error) {
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
		for _, proto := range []string{"h2", "http/1.1"} {
			if !slices.Contains(cfg.TLS.NextProtos, proto) {
				cfg.TLS.NextProtos = append(slices.Clip(cfg.TLS.NextProtos), proto)
			}
		}
		s := begin(cfg.Pending.ListenTLS(l), cfg)
		s.accepting.Go(s.acceptTLS)
		return s, nil
	}
	a, err := cfg.Pending.Poll(l)
	if err != nil {
		return nil, err
	}
	s := begin(a, cfg)
	s.accepting.Go(func() { s.acceptPlain(a) })
	return s, nil
}

// acceptPlain puts connections onto loops.
func (s *Server) acceptPlain(a *accept.Acceptor) {
	for {
		fd, from, err := a.Next()
		if err != nil {
			s.failed(err)
			return
		}
		c := &conn{server: s, remote: from.String()}
		c.fd.Store(int32(fd))
		site := s.site.Load()
		if site != nil {
			c.loop = site.Loops.Next() // which it is evicted on, from now on
		}
		place, ok := a.Enter(fd, from, c)
		if !ok {
			unix.Close(fd)
			continue
		}
		c.place = place
		if site == nil || place.Full() {
			s.giveDescriptor(place, fd)
			continue
		}
		s.enter(c)
		if !c.loop.AttachDescriptor(fd, c.opened) {
			c.end()
			unix.Close(fd)
		}
	}
}

// giveDescriptor gives a connection to net/http of which nothing was read.
func (s *Server) giveDescriptor(place accept.Place, fd int) {
	file := os.NewFile(uintptr(fd), "tcp")
	nc, err := net.FileConn(file)
	file.Close()
	if err != nil {
		place.Leave()
		return
	}
	s.give(place.Return(nc, nil))
}

// acceptTLS has goroutines shake hands.
func (s *Server) acceptTLS() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			s.failed(err)
			return
		}
		s.waiting.Go(func() { s.handshake(nc.(*accept.Conn)) })
	}
}

// handshake shakes hands as net/http does it, and puts the connection onto a
// loop.
func (s *Server) handshake(below *accept.Conn) {
	t := tls.Server(below, s.cfg.TLS)
	_ = t.SetDeadline(time.Now().Add(s.cfg.Header))
	if err := t.HandshakeContext(s.ctx); err != nil {
		reason := err.Error()
		if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil && looksLikeHTTP(e.RecordHeader) {
			_, _ = io.WriteString(e.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
			reason = "client sent an HTTP request to an HTTPS server"
		}
		s.cfg.Log.Printf("http: TLS handshake error from %s: %s", below.RemoteAddr(), reason)
		below.Close()
		return
	}
	_ = t.SetDeadline(time.Time{})
	state := t.ConnectionState()
	site := s.site.Load()
	if site == nil || below.Full() || state.NegotiatedProtocol != "" && state.NegotiatedProtocol != "http/1.1" {
		s.give(t)
		return
	}
	c := &conn{server: s, remote: below.RemoteAddr().String(), tls: &state, loop: site.Loops.Next()}
	c.fd.Store(-1)
	place, ok := below.TakeOver(c)
	if !ok {
		t.Close() // to make room, at this very moment
		return
	}
	c.place = place
	s.enter(c)
	c.loop.AttachNewcomer(t, c.opened, c.end)
}

// looksLikeHTTP reports whether the beginning of what should be TLS is that of a
// request.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

func silent(fd int) bool { return fd < 0 || accept.SilentDescriptor(fd) }
