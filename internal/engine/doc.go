// Package engine is what durable state, durable queues and messages between
// nodes stand on: a NATS server with JetStream inside the process, or one
// elsewhere.
//
// The embedded server of a node that is alone has no listener of any kind.
// Code in the process reaches it over a pipe in memory, and nobody else
// reaches it at all. With a data directory, JetStream acknowledges only what
// was written through to the disk. So neither a crash nor a power cut takes it
// back. Without one, all of it is in memory and ends with the process. Two
// processes can not use one directory.
//
// A disk that is full, or nearly, is a state and not an accident: see
// [Engine.Writable]. If the server could not write in spite of that, the
// engine starts it again once there is room. Those who hold a JetStream or a
// bucket keep it: their connection finds the new server.
//
// # Clusters
//
// Embedded servers of several nodes form a cluster ([Cluster]). They listen
// for each other, and on a port of the loopback interface that NATS wants and
// that lets nobody in. Nodes know each other by a secret and, if so
// configured, by certificates.
//
// What they agree on (which streams there are, and what is in them) needs more
// than half of the members. Messages on plain subjects need nobody but the two
// who talk. A cluster is founded when all nodes of the list of addresses are
// there: none has anything yet, so nobody can know whether those who are away
// do. Later, more than half are enough. A node that ends remains a member
// until it is removed ([Engine.Remove]). A node that joins becomes a member by
// itself.
//
// A node that starts empty and finds a cluster with streams starts its server
// twice (startOver). So a copy that was lost counts as lost, and not as the
// beginning of a stream.
//
// Nodes whose lists differ may found a cluster too, if each list leads to the
// first. Four nodes or more may do so at the same moment, with lists that have
// fewer names than there are nodes. Then they may elect two leaders, of which
// one gives way at once. The same list for all avoids it.
//
// [Engine.Stream] and [Engine.Bucket] make streams with as many copies as the
// cluster is good for, and a loop of the leader makes more when nodes have
// joined or come back. If several nodes make the same stream at the same time,
// JetStream answers one of them and lets the others wait. So the leader makes
// it, and the others look until it is there.
//
// Every copy writes through to its disk here as well, although a majority in
// memory would survive any one crash. Data centers lose power as a whole, and
// NATS would forget whom it has voted for. On one machine a write through to
// the disk takes 0.15 ms. There a message in three copies takes 0.5 ms (p50),
// and 64 writers write 25,000 in a second. Without writing through it is 0.09
// ms and 58,000. The rate is what matters here, since all who write much do so
// concurrently, and nothing that a client waits for waits for a write.
//
// When the disk of a node is nearly full, this node writes nothing, and says
// so. The others go on, and also put their copies onto it. When it can not
// take one, its server stops taking part, and the others lead what it has led.
// It catches up once there is room.
//
// A node that was alone and becomes one of a cluster gives the cluster what it
// has kept: keys that the cluster has not, and all messages of queues. Its old
// directory is renamed when all is done. Until then the whole move can be done
// again.
//
// # Locks
//
// Engine.mu guards which server is running, and is not held during calls to
// JetStream.
package engine
