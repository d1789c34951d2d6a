package setting

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

// Bounds that no setting needs more than.
const (
	Day     = 24 * time.Hour
	MaxInt  = 1<<31 - 1
	MaxSize = 1 << 30
)

// Bool reads true or false, in any case.
func Bool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

// Int returns a reader of whole numbers within bounds.
func Int(minimum, maximum int) func(string) (int, error) {
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

// Limit returns a reader of numbers of which zero is no limit.
func Limit(maximum int) func(string) (int, error) { return unlimitedByZero(Int(0, maximum)) }

// SizeLimit returns a reader of numbers of bytes of which zero is no limit.
func SizeLimit(maximum int) func(string) (int, error) { return unlimitedByZero(Size(0, maximum)) }

// unlimitedByZero says what to write to those who write -1 for no limit.
func unlimitedByZero(read func(string) (int, error)) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := read(text)
		if err != nil && strings.HasPrefix(text, "-") {
			return 0, fmt.Errorf("%s is below 0; 0 is no limit", text)
		}
		return n, err
	}
}

// IntOf returns a reader of some whole numbers.
func IntOf(allowed ...int) func(string) (int, error) {
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

// Choice returns a reader of some words.
func Choice(allowed ...string) func(string) (string, error) {
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

// Duration returns a reader of durations within bounds. They have a unit.
func Duration(minimum, maximum time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		switch {
		case isNumber(text) && text != "0":
			return 0, fmt.Errorf("%s has no unit; write %ss for seconds", text, text)
		case err != nil:
			return 0, fmt.Errorf("%q is not a duration such as 500ms, 30s or 2m", text)
		case d < minimum:
			return 0, fmt.Errorf("%s is below %s", text, Short(minimum))
		case d > maximum:
			return 0, fmt.Errorf("%s is above %s", text, Short(maximum))
		}
		return d, nil
	}
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// Short writes a duration as people do: 24h, not 24h0m0s.
func Short(d time.Duration) string {
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

// Size returns a reader of numbers of bytes within bounds. Decimal units are refused because half
// of their users mean the binary ones.
func Size(minimum, maximum int) func(string) (int, error) {
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

// Address reads where to listen: host:port, or nothing.
func Address(text string) (string, error) {
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

// Prefix reads a network, or an address that stands for itself alone.
func Prefix(text string) (netip.Prefix, error) {
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

// Path reads the prefix in front of /app and /apps.
func Path(text string) (string, error) {
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

// Text reads any text that is not empty.
func Text(text string) (string, error) {
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

// Any takes text as it is.
func Any(text string) (string, error) { return text, nil }
