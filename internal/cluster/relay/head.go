package relay

import (
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	// maxHead is how long the head of a request or an answer may be.
	maxHead    = 12 << 10
	maxHeaders = 32
)

// passed are the headers of a request that are passed on. Cookies and
// credentials stay where they came.
var passed = []string{"Content-Type"}

var (
	errHead    = errors.New("relay: not a head")
	errTooLong = errors.New("relay: the head is too long")
)

// appendRequest appends the head of a request.
func appendRequest(dst []byte, r *http.Request) ([]byte, error) {
	header := make(http.Header)
	for _, name := range passed {
		if v := r.Header.Get(name); v != "" {
			header.Set(name, v)
		}
	}
	dst = appendText(dst, r.Method)
	dst = appendText(dst, target(r.URL))
	return appendHeader(dst, header)
}

// target is the path and query of an address, as they came.
func target(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}

// readRequest reads the head of a request, and returns what stands behind it.
func readRequest(b []byte) (*http.Request, []byte, error) {
	var method, address string
	var ok bool
	if method, b, ok = readText(b); !ok || !token(method) {
		return nil, nil, errHead
	}
	if address, b, ok = readText(b); !ok || !strings.HasPrefix(address, "/") {
		return nil, nil, errHead
	}
	u, err := url.ParseRequestURI(address)
	if err != nil {
		return nil, nil, errHead
	}
	header, b, err := readHeader(b)
	if err != nil {
		return nil, nil, err
	}
	return &http.Request{
		Method: method, URL: u, RequestURI: address, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
	}, b, nil
}

// appendAnswer appends the head of an answer.
func appendAnswer(dst []byte, status int, header http.Header) ([]byte, error) {
	return appendHeader(binary.BigEndian.AppendUint16(dst, uint16(status)), header)
}

// readAnswer reads the head of an answer, and returns what stands behind it.
func readAnswer(b []byte) (status int, header http.Header, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, errHead
	}
	status = int(binary.BigEndian.Uint16(b))
	if status < 200 || status > 599 {
		return 0, nil, nil, errHead
	}
	header, rest, err = readHeader(b[2:])
	return status, header, rest, err
}

// appendHeader appends names and values behind what has been appended to dst
// already.
func appendHeader(dst []byte, header http.Header) ([]byte, error) {
	count := 0
	for _, values := range header {
		count += len(values)
	}
	if count > maxHeaders {
		return nil, errTooLong
	}
	dst = append(dst, byte(count))
	for name, values := range header {
		for _, v := range values {
			dst = appendText(appendText(dst, name), v)
		}
	}
	if len(dst) > maxHead {
		return nil, errTooLong
	}
	return dst, nil
}

func readHeader(b []byte) (http.Header, []byte, error) {
	if len(b) == 0 || b[0] > maxHeaders {
		return nil, nil, errHead
	}
	count := int(b[0])
	b = b[1:]
	header := make(http.Header, count)
	for range count {
		var name, value string
		var ok bool
		if name, b, ok = readText(b); !ok || !token(name) || name != http.CanonicalHeaderKey(name) {
			return nil, nil, errHead
		}
		if value, b, ok = readText(b); !ok || strings.ContainsFunc(value, isControl) {
			return nil, nil, errHead
		}
		header.Add(name, value)
	}
	return header, b, nil
}

// appendText appends a text with its length. One that is too long for that is
// too long for a head as well, which the caller checks.
func appendText(dst []byte, s string) []byte {
	s = s[:min(len(s), maxHead+1)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func readText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > maxHead || len(b) < 2+n {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}

// token reports whether s is a method or the name of a header.
func token(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-')
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
