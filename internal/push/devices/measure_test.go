package devices

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// TestMeasure tells what so many devices cost, and how long another start takes. It is
// there for docs/performance.md: BELFRY_MEASURE_DEVICES=1000000.
func TestMeasure(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("BELFRY_MEASURE_DEVICES"))
	if err != nil {
		t.Skip("set BELFRY_MEASURE_DEVICES to a number of devices")
	}
	dir := t.TempDir()
	fill(t, dir, n)
	t.Logf("the engine has %.1f bytes a device on disk", float64(used(t, dir))/float64(n))

	before := inUse()
	e := newEngine(t, dir)
	withEngine := inUse()
	begun := time.Now()
	s := newNode(t, e)
	t.Logf("they were read in %v", time.Since(begun).Round(time.Millisecond))
	t.Logf("memory a device: %.1f bytes of the engine, %.1f of the index", float64(withEngine-before)/float64(n), float64(inUse()-withEngine)/float64(n))
	begun = time.Now()
	pages, after := 0, ""
	for {
		page, err := s.Page(t.Context(), app, interested("donuts"), after, 500)
		must(t, err)
		pages++
		if len(page) < 500 {
			break
		}
		after = page[len(page)-1].ID
	}
	t.Logf("%d pages of an interest were read in %v", pages, time.Since(begun).Round(time.Millisecond))
	runtime.KeepAlive(s)
}

// fill writes devices into the directory of an engine as quickly as it goes: nothing is
// written through to the disk. All have one interest, and every tenth has two more.
func fill(t *testing.T, dir string, n int) {
	t.Helper()
	server := natstest.Start(t, natstest.Kept(natstest.AnyPort, filepath.Join(dir, "engine")))
	defer natstest.Stop(server)
	conn, err := nats.Connect("", nats.InProcessServer(server))
	must(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(1024))
	must(t, err)
	_, err = js.CreateKeyValue(t.Context(), BucketConfig())
	must(t, err)
	now := time.Now()
	for i := range n {
		r := someone(i).fresh(now)
		r.Interests = []string{"donuts"}
		if i%10 == 0 {
			r.Interests = []string{"donuts", fmt.Sprint("room-", i), fmt.Sprint("topic-", i%100)}
		}
		value, err := r.encode()
		must(t, err)
		k := newKey(kindOf(r.API, r.Platform), now.Add(time.Duration(i)*time.Second))
		_, err = js.PublishAsync("$KV."+Bucket+"."+bucketKey(app, k.String()), value, jetstream.WithStallWait(time.Minute))
		must(t, err)
	}
	<-js.PublishAsyncComplete()
}

// someone is a registration like those of the platforms, all with one interest.
func someone(i int) Registration {
	random := func(n int) string {
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
		var b strings.Builder
		for range n {
			b.WriteByte(letters[rand.IntN(len(letters))])
		}
		return b.String()
	}
	r := Registration{API: notification.Beams, Metadata: []byte(`{"sdkVersion":"1.9.2","androidVersion":"14"}`)}
	switch i % 3 {
	case 0:
		r.Platform, r.Topic = notification.APNs, "com.example.shop"
		r.Token = fmt.Sprintf("%016x%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64(), i)
	case 1:
		r.Platform, r.Token = notification.FCM, random(22)+":APA91b"+random(134)
	default:
		r.Platform, r.VAPIDKey = notification.Web, "k1"
		r.Token = fmt.Sprintf(`{"endpoint":"https://fcm.googleapis.com/fcm/send/%s","keys":{"p256dh":%q,"auth":%q}}`, random(152), random(87), random(22))
	}
	return r
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func used(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	must(t, filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil {
			bytes += info.Size()
		}
		return err
	}))
	return bytes
}
