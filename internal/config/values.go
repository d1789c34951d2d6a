package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value is what was written for a setting, before it is read as what the
// setting holds. The fields are exported for the library that merges layers.
type value struct {
	Text   string
	List   []string // when IsList
	IsList bool
	Place  Place
}

// String is the value as it would be written in the file.
func (v value) String() string {
	switch {
	case v.IsList:
		return "[" + strings.Join(v.List, ", ") + "]"
	case v.Text == "":
		return `""`
	}
	return v.Text
}

var errList = errors.New("is a list, but one value is wanted")

// scalar makes a setter from a function that reads text.
func scalar[T, V any](field func(*T) *V, parse func(string) (V, error)) func(*T, value) error {
	return func(t *T, v value) error {
		if v.IsList {
			return errList
		}
		parsed, err := parse(v.Text)
		if err != nil {
			return err
		}
		*field(t) = parsed
		return nil
	}
}

// list makes a setter from a function that reads one element. Text outside
// the file is split at commas.
func list[T, V any](field func(*T) *[]V, parse func(string) (V, error)) func(*T, value) error {
	return func(t *T, v value) error {
		texts := v.List
		if !v.IsList {
			texts = splitList(v.Text)
		}
		var parsed []V
		var errs []error
		for _, text := range texts {
			element, err := parse(text)
			errs = append(errs, err)
			parsed = append(parsed, element)
		}
		if err := errors.Join(errs...); err != nil {
			return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		*field(t) = parsed
		return nil
	}
}

func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseInt(minimum, maximum int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is not a whole number", text)
		case n < minimum:
			return 0, fmt.Errorf("%d is below %d", n, minimum)
		case n > maximum:
			return 0, fmt.Errorf("%d is above %d", n, maximum)
		}
		return n, nil
	}
}

func parseIntOf(allowed ...int) func(string) (int, error) {
	return func(text string) (int, error) {
		if n, err := strconv.Atoi(text); err == nil && slices.Contains(allowed, n) {
			return n, nil
		}
		texts := make([]string, len(allowed))
		for i, n := range allowed {
			texts[i] = strconv.Itoa(n)
		}
		return 0, fmt.Errorf("%q is not one of %s", text, strings.Join(texts, ", "))
	}
}

func parseChoice(allowed ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(allowed, text) {
			return text, nil
		}
		if near, ok := Nearest(text, allowed); ok {
			return "", fmt.Errorf("%q is not one of %s; did you mean %s?", text, strings.Join(allowed, ", "), near)
		}
		return "", fmt.Errorf("%q is not one of %s", text, strings.Join(allowed, ", "))
	}
}

func parseDuration(minimum, maximum time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		switch {
		case isNumber(text) && text != "0":
			return 0, fmt.Errorf("%s has no unit; write %ss for seconds", text, text)
		case err != nil:
			return 0, fmt.Errorf("%q is not a duration such as 500ms, 30s or 2m", text)
		case d < minimum:
			return 0, fmt.Errorf("%s is below %s", text, short(minimum))
		case d > maximum:
			return 0, fmt.Errorf("%s is above %s", text, short(maximum))
		}
		return d, nil
	}
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// short writes a duration as people do: 24h, not 24h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var sizeUnits = []struct {
	suffix string
	bytes  int
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// parseSize reads a number of bytes. Decimal units are refused because half
// of their users mean the binary ones.
func parseSize(minimum, maximum int) func(string) (int, error) {
	return func(text string) (int, error) {
		number, unit := text, 1
		for _, u := range sizeUnits {
			if rest, ok := strings.CutSuffix(text, u.suffix); ok {
				number, unit = strings.TrimSpace(rest), u.bytes
			}
		}
		n, err := strconv.Atoi(number)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is not a size; write a number of bytes, or a number with KiB or MiB", text)
		case n < 0:
			return 0, fmt.Errorf("%s is below zero", text)
		case n > maximum/unit:
			return 0, fmt.Errorf("%s is above %d bytes", text, maximum)
		case n*unit < minimum:
			return 0, fmt.Errorf("%s is below %d bytes", text, minimum)
		}
		return n * unit, nil
	}
}

// off is what turns a listener off where an empty text can not be given.
const off = "off"

// parseAddress reads where to listen: host:port, or nothing.
func parseAddress(text string) (string, error) {
	if text == "" || text == off {
		return "", nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		if isNumber(text) {
			return "", fmt.Errorf("%q is a port without an address; write 127.0.0.1:%s for this machine only, or 0.0.0.0:%s for every network", text, text, text)
		}
		return "", fmt.Errorf("%q is not an address such as 127.0.0.1:6001 or [::1]:6001", text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("the port of %q is not a number from 0 to 65535", text)
	}
	if strings.ContainsAny(host, " /@") {
		return "", fmt.Errorf("the host of %q is not a name or an address", text)
	}
	return text, nil
}

// parsePrefix reads a network, or an address that stands for itself alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q has a zone, which can not be matched", text)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or fd00::/8", text)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%s names a host inside a network; did you mean %s or %s?", text, masked, prefix.Addr())
	}
	return prefix, nil
}

// parsePath reads the prefix in front of /app and /apps.
func parsePath(text string) (string, error) {
	switch {
	case text == "" || text == "/":
		return "", nil
	case !strings.HasPrefix(text, "/"):
		return "", fmt.Errorf("%q does not begin with a slash; write /%s", text, text)
	case strings.HasSuffix(text, "/"):
		return "", fmt.Errorf("%q ends with a slash; write %s", text, strings.TrimRight(text, "/"))
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`%?#\{}"`, r) }):
		return "", fmt.Errorf("%q has a character that a path must not have", text)
	case strings.Contains(text, "//") || strings.Contains(text+"/", "/./") || strings.Contains(text+"/", "/../"):
		return "", fmt.Errorf("%q is not a clean path", text)
	}
	return text, nil
}

// parseOrigin reads a pattern for the host of a browser's origin.
func parseOrigin(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("an origin is empty")
	case strings.Contains(text, "://"):
		_, host, _ := strings.Cut(text, "://")
		host, _, _ = strings.Cut(host, "/")
		return "", fmt.Errorf("%q has a scheme; write the host alone, such as %s", text, withoutPort(host))
	case strings.ContainsAny(text, "/ ?#@"):
		return "", fmt.Errorf("%q is not a host or a pattern such as *.example.com", text)
	case withoutPort(text) != text:
		return "", fmt.Errorf("%q has a port; write the host alone, %s", text, withoutPort(text))
	}
	return text, nil
}

func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// parseText reads any text that is not empty.
func parseText(text string) (string, error) {
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

// parseAny takes text as it is.
func parseAny(text string) (string, error) { return text, nil }
