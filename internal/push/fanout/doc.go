// Package fanout brings what was published to every device that it is for.
//
// A publish is durable when [Dispatcher.Publish] returns. One node at a time works on it. It
// reads the devices of the audience page by page, in the order of their ids, and hands each a
// notification through the lane of its provider. After each page it writes down how far it
// is. So a node that dies costs at most one page a second time, whoever goes on.
//
// Devices that have to be tried again are written down per page, with the time at which they
// are due. They hold up nothing: the next pages go on. When there is nothing but waiting left,
// no node has the publish in memory, and the engine gives it to one when it is due.
//
// A page of which nothing could be tried, because the provider is left alone, is not passed
// over: it is read again after the pause.
//
// # Twice
//
// A node that was given up may not know it. Each write compares the revision of the last one,
// so that it fails when somebody else goes on, and the node drops the publish.
//
// # Results
//
// What became of a publish is counted with its progress. When it is finished, calls to the
// backend are put into the queue of package callback, and then what was written down of it is
// removed.
//
// # Locks
//
// Dispatcher.mu guards which publishes are worked on, and what the log was told. senders.mu
// guards the clients of providers. Both are leaves.
//
// # Goroutines
//
// One for each publish that is worked on, up to 512 on a node, 32 at most that change devices
// of a page, and those of packages lane and work. [Dispatcher.Stop] waits for them.
//
// # Bounds
//
// A node works on 512 publishes, 128 of one app; the others wait in the engine. Each has a page
// of 500 devices in memory. The queue has 128 MiB; beyond that nothing is accepted. A publish
// that is not delivered after a day is given up.
package fanout
