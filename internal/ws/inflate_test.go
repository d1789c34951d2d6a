package ws

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// inCompressingBubble runs a test on a site whose peers compress, in fake time.
func inCompressingBubble(t *testing.T, change func(*apps.App), test func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Compression: true}, loop.Config{}, change)
		s.compressing = true
		test(t, s)
	})
}

// blank is a message that is nearly all white space, which is legal JSON.
func blank(size int) string {
	const message = `{"event":"pusher:ping","data":{}`
	return message + strings.Repeat(" ", size-len(message)-1) + "}"
}

// A client that sends next to nothing for a lot of work is closed, before it
// has caused much, and others do not notice.
func TestClientThatSendsBlanksIsClosed(t *testing.T) {
	inCompressingBubble(t, nil, func(t *testing.T, s *site) {
		other := s.connect()
		p := s.connect()
		bomb := compressedFrame(t, blank(DefaultMaxMessageSize))
		go func() {
			for range 100 {
				if _, err := p.conn.Write(bomb); err != nil {
					return
				}
			}
		}()
		for range allowance {
			p.expect(pongText)
		}
		p.expect(fmt.Sprintf("close %d %s", protocol.ClosePolicy, reasons[protocol.ClosePolicy]))
		p.expectEnd()
		other.text(`{"event":"pusher:ping","data":{}}`)
		other.expect(pongText)
	})
}

// What the limits of an app let a client send, it may send, even if it is
// nothing but zeros: ten events a second of 10 KiB each.
func TestClientMaySendZeros(t *testing.T) {
	inCompressingBubble(t, nil, func(t *testing.T, s *site) {
		p := s.connect()
		zeros := fmt.Sprintf(`{"event":"client-drawing","channel":"private-board","data":"%s"}`, strings.Repeat("0", 10<<10))
		for range 60 {
			for range apps.DefaultLimits().ClientEventsPerSecond {
				p.send(compressedFrame(t, zeros))
				p.expect("text " + string(protocol.AppendError(nil, protocol.NotSubscribed("private-board"))))
			}
			time.Sleep(time.Second)
		}
	})
}

// Text that shrinks to a tenth or a twentieth may come as fast as it likes.
func TestClientMaySendTextThatCompressesWell(t *testing.T) {
	inCompressingBubble(t, nil, func(t *testing.T, s *site) {
		p := s.connect()
		var text strings.Builder
		text.WriteString(`{"event":"pusher:ping","data":[`)
		for i := 0; text.Len() < 100<<10; i++ {
			fmt.Fprintf(&text, `{"id":%d,"name":"somebody","state":"active","at":%d},`, i, 1700000000+i*7)
		}
		text.WriteString(`0]}`)
		sent := compressedFrame(t, text.String())
		t.Logf("%d bytes are sent as %d", text.Len(), len(sent))
		for range 100 {
			p.send(sent)
			p.expect(pongText)
		}
	})
}

// The allowance comes back with time, and is not saved up.
func TestAllowanceComesBackWithTime(t *testing.T) {
	inCompressingBubble(t, nil, func(t *testing.T, s *site) {
		p := s.connect()
		bomb := compressedFrame(t, blank(DefaultMaxMessageSize))
		for range 5 {
			p.send(bomb)
			p.expect(pongText)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		for range allowance {
			p.send(bomb)
			p.expect(pongText)
		}
		p.send(bomb)
		p.expect(fmt.Sprintf("close %d %s", protocol.ClosePolicy, reasons[protocol.ClosePolicy]))
		p.expectEnd()
	})
}
