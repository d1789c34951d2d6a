package importer

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/setting"
	"go.yaml.in/yaml/v3"
)

// A reader reads the entries below a prefix, and notes what it has read.
type reader struct {
	*move
	prefix string
}

// find returns the first of paths that is there, or nil.
func (r reader) find(paths ...string) *entry {
	var first *entry
	for _, path := range paths {
		if e := r.source.entries[r.prefix+path]; e != nil {
			e.used = true
			if first == nil {
				first = e
			}
		}
	}
	return first
}

func (r reader) text(initial string, paths ...string) string {
	e := r.find(paths...)
	switch {
	case e == nil:
		return initial
	case e.node.Kind != yaml.ScalarNode:
		r.problem(e, "is a list, but one value is wanted")
		return initial
	}
	return strings.TrimSpace(e.node.Value)
}

// yes reads what JavaScript, PHP and databases write for true.
func (r reader) yes(initial bool, paths ...string) bool {
	text := r.text("", paths...)
	switch strings.ToLower(strings.Trim(text, "()")) {
	case "":
		return initial
	case "true", "1", "t", "yes", "on":
		return true
	case "false", "0", "f", "no", "off", "null", "\x00":
		return false
	case "\x01":
		return true
	}
	r.problem(r.find(paths...), "is neither true nor false")
	return initial
}

// number reads a number. What is below zero is no limit there, and 0 here.
func (r reader) number(initial float64, paths ...string) float64 {
	text := r.text("", paths...)
	if text == "" || strings.EqualFold(text, "null") {
		return initial
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n > setting.MaxInt {
		r.problem(r.find(paths...), "is not a number of at most %d", setting.MaxInt)
		return initial
	}
	return max(n, 0)
}

func (r reader) whole(initial int, paths ...string) int {
	return int(math.Ceil(r.number(float64(initial), paths...)))
}

// list reads a list, or one text with commas.
func (r reader) list(paths ...string) []string {
	e := r.find(paths...)
	if e == nil {
		return nil
	}
	var list []string
	elements := e.node.Content
	if e.node.Kind == yaml.ScalarNode {
		text := strings.TrimSpace(e.node.Value)
		if strings.HasPrefix(text, "[") {
			if tree, err := readJSON(File{e.place.File, []byte(text)}); err == nil {
				elements = tree.Content
			}
		} else {
			for part := range strings.SplitSeq(text, ",") {
				elements = append(elements, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(part)})
			}
		}
	}
	for _, element := range elements {
		if element.Kind == yaml.ScalarNode && element.Value != "" {
			list = append(list, element.Value)
		}
	}
	return list
}

// listen sets where clients connect. With a certificate all of them use TLS,
// at the same port.
func (r reader) listen(host, port, cert, key string) {
	address := net.JoinHostPort(host, port)
	if cert == "" {
		r.out.top.set("listen", address)
		return
	}
	r.out.top.set("listen", "off")
	r.out.top.set("tls.listen", address)
	r.out.top.set("tls.cert_file", cert)
	r.out.top.set("tls.key_file", key)
}

// path sets what stands in front of all paths.
func (r reader) path(path string) {
	if path = strings.Trim(path, "/"); path != "" {
		r.out.top.set("path", "/"+path)
	}
}

// sizes sets what the service must take for apps whose events may have that
// many bytes, where its default would be too little.
func (r reader) sizes(event, batch, body int) {
	const kib = 1 << 10
	if wanted := 2*event + 16*kib; wanted > 128*kib {
		r.out.top.set("websocket.max_message_size", size(min(wanted, setting.MaxSize)))
	}
	if wanted := 8 * event; wanted > 1024*kib {
		r.out.top.set("websocket.send_buffer", size(min(wanted, setting.MaxSize)))
	}
	if wanted := max(body, batch*(2*event+4*kib)); wanted > 1024*kib {
		r.out.top.set("http_api.max_body_size", size(min(wanted, setting.MaxSize)))
	}
}

// size writes a number of bytes.
func size(bytes int) string {
	switch {
	case bytes > 0 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", bytes>>20)
	case bytes > 0 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", bytes>>10)
	}
	return strconv.Itoa(bytes)
}

func duration(n float64, unit time.Duration) string {
	return setting.Short(time.Duration(n * float64(unit)).Truncate(time.Millisecond))
}

// credentials begins an app, if it has id, key and secret.
func (r reader) credentials(id string) (*block, bool) {
	key, secretText := r.text("", "key"), r.text("", "secret")
	var missing []string
	for name, text := range map[string]string{"id": id, "key": key, "secret": secretText} {
		if text == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		if len(missing) < 3 {
			r.problems = append(r.problems, fmt.Errorf("%s: an app has no %s; write it where the others are", r.place(), strings.Join(sorted(missing), " and no ")))
		}
		return nil, false
	}
	app := r.out.app()
	app.set("id", id)
	if name := r.text("", "name"); name != "" {
		app.set("name", name)
	}
	pair := r.out.block()
	pair.set("key", key)
	pair.set("secret", secret(secretText))
	app.set("keys", []*block{pair})
	r.result.Apps++
	if strings.Trim(id, "0123456789") != "" {
		r.differs("The id of an app is not a number. The Python and Go libraries read ids from a URL only if they are; other libraries do not mind.")
	}
	return app, true
}

// place is where the app of r begins.
func (r reader) place() string {
	for _, e := range r.source.order {
		if strings.HasPrefix(e.path, r.prefix) {
			return e.place.String()
		}
	}
	return strings.Join(r.names(), ", ")
}

// origins sets whose pages may connect.
func (r reader) origins(app *block) {
	list := r.list("allowed_origins")
	if len(list) == 0 || len(list) == 1 && list[0] == "*" {
		return
	}
	app.set("allowed_origins", list)
	r.differs("allowed_origins refuses clients that send no Origin, as native apps do; add no-origin to the list if you have such clients.")
}
