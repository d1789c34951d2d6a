package main

import (
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// An incoming is a message, a control frame, or the end of the connection.
type incoming struct {
	op      ws.OpCode
	payload []byte
	err     error
}

// A clientConn is one connection. One goroutine reads it, until it is closed;
// everything else is done by converse.
type clientConn struct {
	conn     net.Conn
	incoming chan incoming
	done     chan struct{} // closed when nobody receives any more
	timeout  time.Duration // silence before a ping; owned by converse
}

func (c *clientConn) read(source io.Reader) {
	for {
		messages, err := wsutil.ReadServerMessage(readWriter{source, c.conn}, nil)
		for _, m := range messages {
			if !c.hand(incoming{op: m.OpCode, payload: m.Payload}) {
				return
			}
		}
		if err != nil {
			c.hand(incoming{err: err})
			return
		}
	}
}

// hand gives in to converse, and reports whether it is still there.
func (c *clientConn) hand(in incoming) bool {
	select {
	case c.incoming <- in:
		return true
	case <-c.done:
		return false
	}
}

type readWriter struct {
	io.Reader
	io.Writer
}

func (c *clientConn) send(f frame) error {
	return wsutil.WriteClientText(c.conn, jsonBytes(f))
}

// close says goodbye.
func (c *clientConn) close() error {
	return wsutil.WriteClientMessage(c.conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
}
