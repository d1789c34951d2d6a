package webhook

import "testing"

// The statements of the webhook checklist that are about bodies, time, retries
// and faults, by their numbers. The others are in e2e, against the real binary.
func TestChecklist(t *testing.T) {
	for _, statement := range []struct {
		name string
		test func(*testing.T)
	}{
		{"03 49 published bodies and signatures", testBodiesAndSignatures},
		{"05 07 time_ms and batches", testEventsShareARequest},
		{"07 41 batches are of one app and endpoint", testRequestsAreOfOneAppAndEndpoint},
		{"11 12 14 debouncing to the millisecond", testDebouncing},
		{"33 38 which answers end delivery", testWhatCountsAsDelivered},
		{"34 connection, TLS and refusal", testEndpointThatIsNotThereYet},
		{"34 38 everything that endpoints do", testEndpointThatMisbehaves},
		{"35 36 37 the schedule", testRetrySchedule},
		{"39 a dead endpoint delays no other", testDeadEndpointDelaysNoOther},
		{"40 41 42 filters and headers", testFiltersAndHeaders},
		{"43 37 a revoked key", testRevokedKeySignsNoMore},
		{"44 two nodes", testQueueOfADeadNode},
		{"45 overflow", testOverflow},
		{"50 secrets are not logged", testSecretsAreNotLogged},
	} {
		t.Run(statement.name, statement.test)
	}
}
