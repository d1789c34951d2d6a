package wakeup

import "testing"

func TestSetTwiceWakesOnce(t *testing.T) {
	s := New()
	s.Set()
	s.Set()
	<-s
	select {
	case <-s:
		t.Error("the signal is still set after it was received")
	default:
	}
	s.Set()
	<-s
}
