package relay

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

const someID = node.ID("ABCDEFGHIJKLMNOP")

// seeds are frames of each kind.
func seeds(f *testing.F) {
	top, err := appendRequest(nil, httptest.NewRequest("POST", "/app/key/1/a/xhr?n=1", strings.NewReader("body")))
	if err != nil {
		f.Fatal(err)
	}
	answer, err := appendAnswer(nil, 200, http.Header{"Content-Type": {"text/plain"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []frame{
		{kind: request, flags: last, stream: 1, part: 1, payload: append(top, "body"...)},
		{kind: data, stream: 1, part: 2, payload: []byte("more")},
		{kind: data, flags: fromServing | head | flush, stream: 1, part: 1, payload: append(answer, "text"...)},
		{kind: data, flags: fromServing | last, stream: 1, part: 2},
		{kind: credit, stream: 1, part: 3, payload: []byte{0, 0, 0x80, 0}},
		{kind: reset, stream: 1, part: 3, payload: []byte{byte(lost)}},
		{kind: leave, stream: 1, part: 3},
		{kind: beat},
		{kind: inquiry, flags: head | last, part: 1, payload: appendInquiry(nil, key{1, true})},
		{kind: account, flags: last, part: 1, payload: appendAccount(nil, key{1, false}, 7)},
	} {
		s.from, s.number = someID, 1
		f.Add(s.append(nil))
	}
}

func FuzzFrame(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFrame(b)
		if err != nil {
			return
		}
		if again := got.append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x is parsed as %x", b, again)
		}
		if !got.from.Valid() || len(got.payload) > maxPayload {
			t.Errorf("frame %+v", got)
		}
	})
}

func FuzzHead(f *testing.F) {
	top, err := appendRequest(nil, httptest.NewRequest("POST", "/a%2Fb?n=1", nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(top)
	answer, err := appendAnswer(nil, 200, http.Header{"Content-Type": {"text/plain"}, "Vary": {"a", "b"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(answer, "rest"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, rest, err := readRequest(b); err == nil {
			again, err := appendRequest(nil, r)
			if err != nil {
				t.Fatalf("%q can not be passed on: %v", b, err)
			}
			r2, _, err := readRequest(append(again, rest...))
			if err != nil || r2.Method != r.Method || r2.URL.String() != r.URL.String() {
				t.Errorf("%s %s became %v, %v", r.Method, r.URL, r2, err)
			}
		}
		if status, header, rest, err := readAnswer(b); err == nil {
			again, err := appendAnswer(nil, status, header)
			if err != nil {
				t.Fatalf("%q can not be written: %v", b, err)
			}
			status2, header2, rest2, err := readAnswer(append(again, rest...))
			if err != nil || status2 != status || !reflect.DeepEqual(header2, header) || !bytes.Equal(rest2, rest) {
				t.Errorf("%d %v became %d %v, %v", status, header, status2, header2, err)
			}
			if err := header.Write(&strings.Builder{}); err != nil || status < 200 {
				t.Errorf("answer %d %v", status, header)
			}
		}
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add(appendQuestion(nil, someID, 7, "session"))
	f.Add(appendFound(nil, someID, 7, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		if from, number, session, ok := readQuestion(b); ok && !bytes.Equal(appendQuestion(nil, from, number, session), b) {
			t.Errorf("question %x is not %x", b, appendQuestion(nil, from, number, session))
		}
		if from, number, yes, ok := readFound(b); ok && !bytes.Equal(appendFound(nil, from, number, yes), b) {
			t.Errorf("answer %x is not %x", b, appendFound(nil, from, number, yes))
		}
	})
}

// FuzzReceive lets a relay, which passes a request on and answers some, take
// any frames. Whatever they are, it can be closed afterwards.
func FuzzReceive(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := New(Config{ID: node.NewID(), Peers: func() []node.ID { return nil }, MaxRequests: 10})
		if err != nil {
			t.Fatal(err)
		}
		r.publish = func(string, []byte) error { return nil }
		r.host = Host{Has: func(string) bool { return false }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(r.URL.Path))
			<-r.Context().Done()
		})}
		s, err := r.open(someID)
		if err != nil {
			t.Fatal(err)
		}
		first := frame{kind: data, flags: fromServing | head, from: someID, number: 1, stream: s.id, part: 1}
		if first.payload, err = appendAnswer(nil, 200, nil); err != nil {
			t.Fatal(err)
		}
		r.receive(first.append(nil))
		for frame := range bytes.SplitSeq(b, []byte{0xff, 0xfe}) {
			r.receive(frame)
			r.asked(frame)
			r.told(frame)
		}
		for {
			if _, ok, err := s.poll(); !ok || err != nil {
				break
			}
		}
		for _, l := range r.allLinks() {
			l.tick(time.Now())
		}
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {ID: "short"}, {ID: someID, Cluster: "a.b"}, {ID: someID, Cluster: strings.Repeat("a", 65)}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) succeeds", cfg)
		}
	}
}
