// Package cluster tests clusters: several real processes, joined, with faults.
//
// A [Cluster] is its nodes, the clients that are connected to them, a receiver
// of webhooks, and a [history.History]. The history hears all of what clients
// and receiver are told, and judges it. As root on Linux every node has a
// network namespace with two interfaces: one to clients and one to the other
// nodes. So nodes can be cut off. Elsewhere they are on the loopback
// interface, and the tests that need more skip and say so.
//
// It knows the service's binary, its public packages, and nothing inside of it.
package cluster
