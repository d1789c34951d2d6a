// Package belfrytest runs a Belfry service inside a test, on a free port of
// this machine, for programs that use packages client and backend, or any other
// client library.
//
//	func TestOrders(t *testing.T) {
//		s := belfrytest.Start(t, belfrytest.Config{})
//		c := s.Client(t, "ann")
//		orders, err := c.Subscribe("private-orders")
//		...
//		created := belfrytest.Collect(t, orders, "created")
//		belfrytest.Connect(t, c)
//		belfrytest.AwaitSubscribed(t, orders)
//		s.Backend(t).Trigger(t.Context(), "private-orders", "created", order)
//		created.Next(t)
//	}
//
// The service is a whole one: WebSocket, HTTP transports and HTTP API. Beside
// it there are endpoints for authorization, which a program's own can replace.
// In front of it stands what injects faults: [Server.CloseConnections],
// [Server.DropConnections], [Server.Freeze], [Server.Refuse], [Server.SetAuth] and
// [Server.SetAPI]. The first four are about WebSockets; the HTTP transports pass.
//
// Everything ends with the test. Several servers may run at a time.
package belfrytest
