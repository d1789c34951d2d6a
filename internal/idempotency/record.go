package idempotency

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// recordCost is what a key takes in the engine, about, beside its answer.
const recordCost = 384

// A record is what the bucket has of a key. The zero value says that it is free.
type record struct {
	Request Digest          `json:"request,omitzero"` // of the one that has it
	Claim   string          `json:"claim,omitempty"`  // by which it has it
	Answer  json.RawMessage `json:"answer,omitempty"` // of the request, when it is done
}

func (r record) free() bool { return r.Claim == "" }

func (r record) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	return b
}

func decode(b []byte) (r record, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("idempotency: a record can not be read: %w", err)
	}
	return r, nil
}

func newNonce() string { return rand.Text()[:13] }
