package protocol_test

import (
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

func BenchmarkParseMessage(b *testing.B) {
	for name, text := range map[string]string{
		"ping":      `{"event":"pusher:ping","data":{}}`,
		"subscribe": `{"event":"pusher:subscribe","data":{"auth":"278d425bdf160c739803:d4e7f0866c29bb821131f0f75414ffb793698d8ca40f28f168ae1d63761051c8","channel":"private-orders-7"}}`,
		"client":    `{"event":"client-typing","channel":"private-room-7","data":{"on":true}}`,
	} {
		b.Run(name, func(b *testing.B) {
			message := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.ParseMessage(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	data := []byte(`"{\"total\":12.5,\"currency\":\"EUR\"}"`)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = protocol.AppendEvent(dst[:0], "order-paid", "private-orders-7", data, "")
	}
}

func BenchmarkSignRequest(b *testing.B) {
	params := []protocol.Param{
		{Key: "auth_key", Value: exampleKey},
		{Key: "auth_timestamp", Value: "1353088179"},
		{Key: "auth_version", Value: "1.0"},
		{Key: "body_md5", Value: "ec365a775a4cd0599faeb73354201b6f"},
		{Key: "auth_signature", Value: "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"},
	}
	b.ReportAllocs()
	for b.Loop() {
		text := protocol.RequestText("POST", "/apps/3/events", params)
		if !protocol.VerifySignature(exampleSecret, text, params[4].Value) {
			b.Fatal("the signature is wrong")
		}
	}
}

func BenchmarkVerifySignature(b *testing.B) {
	id := socketID(b, "45481.3166671")
	const digest = "d4e7f0866c29bb821131f0f75414ffb793698d8ca40f28f168ae1d63761051c8"
	b.ReportAllocs()
	for b.Loop() {
		if !protocol.VerifySignature(exampleSecret, protocol.ChannelText(id, "private-orders-7"), digest) {
			b.Fatal("the signature is wrong")
		}
	}
}

func BenchmarkParseSubscribe(b *testing.B) {
	data := []byte(`{"auth":"278d425bdf160c739803:d4e7f0866c29bb821131f0f75414ffb793698d8ca40f28f168ae1d63761051c8","channel":"private-orders-7"}`)
	b.ReportAllocs()
	for b.Loop() {
		if s := protocol.ParseSubscribe(data); !s.HasChannel {
			b.Fatal("no channel")
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 1024)
	data := []byte(`"{\"total\":12.5}"`)
	ping := []byte(`{"event":"pusher:ping","data":{}}`)
	tests := map[string]struct {
		want float64
		f    func()
	}{
		"AppendEvent":       {0, func() { dst = protocol.AppendEvent(dst[:0], "order-paid", "private-orders-7", data, "16") }},
		"AppendDataLiteral": {0, func() { dst = protocol.AppendDataLiteral(dst[:0], ping) }},
		"AppendPong":        {0, func() { dst = protocol.AppendPong(dst[:0]) }},
		"ParseMessage":      {0, func() { protocol.ParseMessage(ping) }},
		"KindOf":            {0, func() { protocol.KindOf("private-orders-7") }},
		"CheckChannel":      {0, func() { protocol.CheckChannel("private-orders-7", 200) }},
		"ParseSocketID":     {0, func() { protocol.ParseSocketID("45481.3166671") }},
	}
	for name, test := range tests {
		if n := testing.AllocsPerRun(100, test.f); n != test.want {
			t.Errorf("%s allocates %v times, want %v", name, n, test.want)
		}
	}
}

func BenchmarkSigner(b *testing.B) {
	signer := protocol.NewSigner("secret")
	text := []byte(protocol.RequestText("POST", "/apps/3/events", []protocol.Param{{Key: "auth_key", Value: "key"}}))
	digest := signer.Sign(text)
	b.ReportAllocs()
	for b.Loop() {
		signer.Verify(text, digest)
	}
}
