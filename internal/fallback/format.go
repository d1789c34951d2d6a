package fallback

import (
	"bytes"
	"regexp"
)

// A format is how an endpoint's response carries lines.
type format struct {
	transport   transport
	contentType string
	stream      bool // many chunks; otherwise one, and then the response ends
	single      bool // one line only
	callback    bool // needs the name of a function
	// prelude returns what stands in front of the first line; nil: nothing.
	prelude func(callback string) []byte
	// encode appends a line to dst; nil: as it is.
	encode func(dst, line []byte, callback string) []byte
}

const typeScript = "application/javascript; charset=UTF-8"

// formats of the endpoints that receive.
var formats = map[endpoint]*format{
	xhrStreaming: {transport: transportStreaming, contentType: typeScript, stream: true},
	xhr:          {transport: transportPolling, contentType: typeScript},
	eventSource: {
		transport: transportSockJS, contentType: "text/event-stream; charset=UTF-8", stream: true,
		prelude: func(string) []byte { return []byte("\r\n") },
		encode:  appendEvent,
	},
	htmlFile: {
		transport: transportSockJS, contentType: "text/html; charset=UTF-8", stream: true, callback: true,
		prelude: htmlPrelude,
		encode:  appendScript,
	},
	jsonp: {
		transport: transportSockJS, contentType: typeScript, single: true, callback: true,
		encode: appendCall,
	},
}

// callbackName is what a page may be asked to call. Anything else could be a
// script of somebody else's making.
var callbackName = regexp.MustCompile(`^[a-zA-Z0-9\-_.]{1,32}$`)

// xhrPrelude is for clients that hear nothing before the first 2 KB: old ones
// that send no content type. Others ignore it.
var xhrPrelude = append(bytes.Repeat([]byte{'h'}, 2048), '\n')

// trim is a line without its newline.
func trim(line []byte) []byte { return line[:len(line)-1] }

// appendEvent appends a line as an event. Clients unescape what they get, so
// that a percent sign must not stand for itself.
func appendEvent(dst, line []byte, _ string) []byte {
	dst = append(dst, "data: "...)
	for _, b := range trim(line) {
		if b == '%' || b == '\r' || b == '\n' || b == 0 {
			dst = append(dst, '%', "0123456789ABCDEF"[b>>4], "0123456789ABCDEF"[b&0xf])
			continue
		}
		dst = append(dst, b)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendScript appends a line as a script of an endless page.
func appendScript(dst, line []byte, _ string) []byte {
	dst = append(dst, "<script>\np("...)
	dst = append(dst, scriptString(trim(line))...)
	return append(dst, ");\n</script>\r\n"...)
}

// appendCall appends a line as a script that calls back. The comment keeps
// the response from being read as another type of file.
func appendCall(dst, line []byte, callback string) []byte {
	dst = append(dst, "/**/"...)
	dst = append(dst, callback...)
	dst = append(dst, '(')
	dst = append(dst, scriptString(trim(line))...)
	return append(dst, ");\r\n"...)
}

// scriptString is text as a literal that can stand in a script and in HTML.
func scriptString(text []byte) []byte { return mustJSON(string(text)) }

// htmlPadding is how long the beginning of a page is: browsers show nothing of
// one before they have 1 KB.
const htmlPadding = 5 << 8

// htmlPrelude is the beginning of an endless page.
func htmlPrelude(callback string) []byte {
	page := []byte(`<!DOCTYPE html>
<html><head><meta charset="UTF-8"></head><body>
<script>
var c = parent.` + callback + `;
c.start();
function p(d) { c.message(d); }
window.onload = function () { c.stop(); };
</script>
`)
	for len(page) < htmlPadding {
		page = append(page, ' ')
	}
	return append(page, "\r\n\r\n"...)
}
