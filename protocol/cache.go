package protocol

// AppendCacheMiss appends what a new subscriber of a cache channel gets when
// the channel remembers no event.
func AppendCacheMiss(dst []byte, channel string) []byte {
	return AppendEvent(dst, EventCacheMiss, channel, []byte(emptyData), "")
}
