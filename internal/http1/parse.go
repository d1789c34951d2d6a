package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
)

// A Verdict is what a [Parser] makes of some bytes.
type Verdict int

// The verdicts.
const (
	Incomplete Verdict = iota // more bytes are needed to tell
	Plain                     // a request that is served here
	Other                     // anything else: net/http knows what to do
)

const (
	// maxHead is how long the head of a plain request may be, and maxFields how
	// many lines it may have behind the first.
	maxHead   = 8 << 10
	maxFields = 64
	// lengthDigits is how many digits a plain length has at most.
	lengthDigits = 9
)

// A Parser reads the heads of requests. Its memory is used again for the next
// one. The zero Parser is ready; one goroutine uses it.
type Parser struct {
	request http.Request
	header  http.Header
	values  [maxFields][1]string
	names   cache // canonical names of fields, by how they were written
	texts   cache // values of fields
}

// A head is what is known of a request while its fields are read.
type head struct {
	fields             int
	host, length, conn bool // there is such a field
	upgrade            bool // the request asks for another protocol
	pragma, caching    bool
}

// Parse reads the head of the request with which b begins. If it is plain, size
// is the length of the head, and r.ContentLength bytes of body follow it. The
// request is valid until the next call, and its strings for good. Neither body,
// address nor TLS are set.
//
// A head that is Incomplete has nothing yet that is not plain, line by line.
func (p *Parser) Parse(b []byte) (r *http.Request, size int, v Verdict) {
	all := b
	if len(b) > maxHead {
		b = b[:maxHead]
	}
	line, rest, v := cutLine(b)
	if v != Plain {
		return nil, 0, atMost(all, v)
	}
	if !p.start(line) {
		return nil, 0, Other
	}
	var h head
	for {
		line, rest, v = cutLine(rest)
		if v != Plain {
			return nil, 0, atMost(all, v)
		}
		if len(line) == 0 {
			break
		}
		if !p.field(&h, line) {
			return nil, 0, Other
		}
	}
	if !p.finish(&h) {
		return nil, 0, Other
	}
	return &p.request, len(b) - len(rest), Plain
}

// atMost gives up a head that is too long.
func atMost(b []byte, v Verdict) Verdict {
	if len(b) >= maxHead {
		return Other
	}
	return v
}

// cutLine returns the first line of b without its end, and what follows it.
// Lines end in CRLF, and neither is anywhere else.
func cutLine(b []byte) (line, rest []byte, v Verdict) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if cr := bytes.IndexByte(b, '\r'); cr >= 0 && cr < len(b)-1 {
			return nil, nil, Other
		}
		return nil, nil, Incomplete
	}
	if end == 0 || bytes.IndexByte(b[:end], '\r') != end-1 {
		return nil, nil, Other
	}
	return b[:end-1], b[end+1:], Plain
}

// start reads the first line: GET or POST, a path, HTTP/1.1.
func (p *Parser) start(line []byte) bool {
	var method string
	switch {
	case bytes.HasPrefix(line, []byte("GET /")):
		method = http.MethodGet
	case bytes.HasPrefix(line, []byte("POST /")):
		method = http.MethodPost
	default:
		return false
	}
	target, ok := bytes.CutSuffix(line[len(method)+1:], []byte(" HTTP/1.1"))
	if !ok {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	uri := string(target)
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return false
	}
	if p.header == nil {
		p.header = make(http.Header, 16)
	}
	clear(p.header)
	p.request = http.Request{
		Method: method, URL: u, RequestURI: uri, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: p.header, Body: http.NoBody,
	}
	return true
}

// field reads one line behind the first.
func (p *Parser) field(h *head, line []byte) bool {
	if h.fields == maxFields {
		return false
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	for _, c := range line[:colon] {
		if !nameByte[c] {
			return false
		}
	}
	value := bytes.Trim(line[colon+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	name := p.names.get(line[:colon], textproto.CanonicalMIMEHeaderKey)
	text := p.texts.get(value, nil)
	if !p.note(h, name, text) {
		return false
	}
	if name == "Host" {
		return true // it is no header of the request
	}
	if had := p.header[name]; had != nil {
		p.header[name] = append(had, text)
		return true
	}
	slot := &p.values[h.fields]
	h.fields++
	slot[0] = text
	p.header[name] = slot[:1:1]
	return true
}

// note looks at the fields that say what a request is, and reports whether it
// can still be plain.
func (p *Parser) note(h *head, name, value string) bool {
	switch name {
	case "Host":
		ok := !h.host && plainHost(value)
		h.host, p.request.Host = true, value
		return ok
	case "Content-Length":
		n, ok := length(value)
		ok = ok && !h.length
		h.length, p.request.ContentLength = true, n
		return ok
	case "Connection":
		ok := !h.conn
		h.conn = true
		p.request.Close = equalFold(value, "close")
		return ok && (p.request.Close || equalFold(value, "keep-alive") || asksToUpgrade(value))
	case "Upgrade":
		ok := !h.upgrade && equalFold(value, "websocket")
		h.upgrade = true
		return ok
	case "Transfer-Encoding", "Trailer", "Expect", "Http2-Settings", "Proxy-Connection", "Keep-Alive":
		return false
	case "Pragma":
		h.pragma = true
	case "Cache-Control":
		h.caching = true
	}
	return true
}

// finish looks at the request as a whole.
func (p *Parser) finish(h *head) bool {
	r := &p.request
	switch {
	case !h.host:
		return false
	case h.pragma && !h.caching: // net/http makes one of the other
		return false
	case r.Method == http.MethodPost && !h.length, r.Method == http.MethodGet && h.length:
		return false
	case h.upgrade != (h.conn && asksToUpgrade(r.Header["Connection"][0])):
		return false
	case h.upgrade && (r.Method != http.MethodGet || r.Close):
		return false
	}
	return true
}

// asksToUpgrade reports whether a Connection field has that form: it is
// Upgrade, alone or beside keep-alive.
func asksToUpgrade(value string) bool {
	return equalFold(value, "upgrade") || equalFold(value, "keep-alive, upgrade") || equalFold(value, "upgrade, keep-alive")
}

// equalFold compares ASCII; lower is in lower case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// length reads a plain length: digits and nothing else.
func length(value string) (n int64, ok bool) {
	if value == "" || len(value) > lengthDigits {
		return 0, false
	}
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// plainHost reports whether a Host field has the characters of names, addresses
// and ports alone.
func plainHost(value string) bool {
	for _, c := range []byte(value) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return value != ""
}

// nameByte says which bytes the name of a field may have (RFC 9110, 5.6.2).
var nameByte = func() (set [256]bool) {
	for c := range 128 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		set[c] = letter || '0' <= c && c <= '9' || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return set
}()
