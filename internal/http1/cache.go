package http1

const (
	// cacheSize is how many texts a cache has, a power of two, and cachedText
	// how long they may be.
	cacheSize  = 256
	cachedText = 128
)

// A cache makes strings of bytes, and the same one again for the same bytes,
// as long as no other text has taken its place. What most requests have in
// common is so made once. The zero cache is empty.
type cache struct {
	entries [cacheSize]struct{ key, text string }
}

// get returns the text of b, or what convert makes of it. Nil converts nothing.
func (c *cache) get(b []byte, convert func(string) string) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > cachedText {
		return converted(string(b), convert)
	}
	e := &c.entries[slotOf(b)]
	if e.key != string(b) {
		e.key = string(b)
		e.text = converted(e.key, convert)
	}
	return e.text
}

func converted(s string, convert func(string) string) string {
	if convert == nil {
		return s
	}
	return convert(s)
}

// slotOf spreads texts over a cache, by FNV-1a.
func slotOf(b []byte) int {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return int((h ^ h>>16) % cacheSize)
}
