package belfrytest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/protocol"
)

// ServeHTTP stands in front of the service: it relays what is meant for it and
// injects faults.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.working.Add(1)
	defer s.working.Done()
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.serveWebSocket(w, r)
	case strings.HasPrefix(r.URL.Path, authPath):
		s.auth.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/apps/"):
		s.serveAPI(w, r)
	default:
		s.proxy.ServeHTTP(w, r)
	}
}

// A refusal is what new connections get instead of the service.
type refusal struct {
	status int // of the answer to the upgrade
	code   int // of the Close frame after it
	reason string
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	no := s.refusal
	s.mu.Unlock()
	if no.status != 0 {
		http.Error(w, no.reason, no.status)
		return
	}
	if no.code != 0 {
		refuse(w, r, no)
		return
	}
	service, err := net.Dial("tcp", s.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer service.Close()
	if err := r.Write(service); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fromService := bufio.NewReader(service)
	response, err := http.ReadResponse(fromService, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if response.Write(conn) != nil || response.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	s.relay(&relay{client: conn, service: service}, buffered.Reader, fromService)
}

// refuse upgrades a connection, says why it can not stay, and closes it.
func refuse(w http.ResponseWriter, r *http.Request, no refusal) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	text := protocol.AppendError(nil, &protocol.Error{Code: protocol.CloseCode(no.code), Message: no.reason})
	ws.WriteFrame(conn, ws.NewTextFrame(text))
	ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(no.code), protocol.CloseReason(no.reason))))
	conn.SetReadDeadline(time.Now().Add(answerTime))
	io.Copy(io.Discard, conn) // until the client has closed too
}

// answerTime is how long a client has to answer a Close frame before its
// connection is closed.
const answerTime = 250 * time.Millisecond

// A relay is one WebSocket between a client and the service.
type relay struct {
	client, service net.Conn

	writing sync.Mutex // held while a frame is written to the client
	closed  bool       // guarded by writing: no frame follows
}

// relay passes messages both ways until either side ends.
func (s *Server) relay(r *relay, fromClient, fromService *bufio.Reader) {
	s.mu.Lock()
	s.conns[r] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, r)
		s.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() {
		defer r.service.Close()
		s.upstream(r, fromClient)
	})
	both.Go(func() {
		defer r.end()
		s.downstream(r, fromService)
	})
	both.Wait()
}

// end closes the client's side. One that was told to close still has time to
// answer.
func (r *relay) end() {
	r.writing.Lock()
	defer r.writing.Unlock()
	half, ok := r.client.(interface{ CloseWrite() error })
	if !r.closed || !ok {
		r.client.Close()
		return
	}
	half.CloseWrite()
	r.client.SetReadDeadline(time.Now().Add(answerTime))
}

// pass blocks while messages do not pass.
func (s *Server) pass() {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	<-gate
}

// upstream copies what the client says.
func (s *Server) upstream(r *relay, from io.Reader) {
	defer r.client.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		s.pass()
		if n > 0 {
			if _, err := r.service.Write(b[:n]); err != nil {
				r.client.SetReadDeadline(time.Now().Add(answerTime))
				io.Copy(io.Discard, from) // until its end, or that of answerTime
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// downstream copies what the service says, frame by frame.
func (s *Server) downstream(r *relay, from *bufio.Reader) {
	for {
		h, err := ws.ReadHeader(from)
		if err != nil {
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(from, payload); err != nil {
			return
		}
		s.pass()
		if !r.frame(h, payload) {
			return
		}
	}
}

// frame writes a frame to the client, and reports whether others may follow.
func (r *relay) frame(h ws.Header, payload []byte) bool {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.closed {
		return false
	}
	if err := ws.WriteFrame(r.client, ws.Frame{Header: h, Payload: payload}); err != nil {
		return false
	}
	r.closed = h.OpCode == ws.OpClose
	return !r.closed
}

// close has the client told to close, and takes the connection away from the
// service.
func (r *relay) close(code int, reason string) {
	body := ws.NewCloseFrameBody(ws.StatusCode(code), protocol.CloseReason(reason))
	r.frame(ws.Header{Fin: true, OpCode: ws.OpClose, Length: int64(len(body))}, body)
	r.service.Close()
}

// drop breaks both connections.
func (r *relay) drop() {
	if tcp, ok := r.client.(*net.TCPConn); ok {
		tcp.SetLinger(0) // a RST instead of a FIN
	}
	r.client.Close()
	r.service.Close()
}
