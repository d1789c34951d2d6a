package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/e2e/service"
)

// A Node is one process of a cluster, running or not. One goroutine starts and
// stops it; its Backend and Trigger may be used by any.
type Node struct {
	Name      string
	Witness   bool
	Addr      string // of clients and backends
	AdminAddr string
	peers     string // address for other nodes
	number    int    // from 1; in the network
	dir       string

	binary  string // what it runs; empty: what the tests have built
	c       *Cluster
	backend *backend.Client
	http    *http.Transport // of backend

	cmd    *exec.Cmd // nil while it does not run
	exited chan error
	log    service.Output
	disk   string // where a disk of its own is mounted; empty without
	state  state
	clock  atomic.Int64 // how much its clock is ahead, as a time.Duration
	// recovered ends what may be lost because of a fault; nil if there is none.
	recovered func()
}

// A state is what a node can do.
type state struct {
	sync.Mutex
	stopped, paused, cut bool
}

// Log returns what the node has written so far, over all its lives.
func (n *Node) Log() string { return n.log.String() }

// Serves reports whether clients can be connected to the node.
func (n *Node) Serves() bool {
	n.state.Lock()
	defer n.state.Unlock()
	return !n.state.stopped && !n.state.paused && !n.Witness
}

// Backend calls the HTTP API of this node.
func (n *Node) Backend() *backend.Client { return n.backend }

// newBackend makes a client of an app by way of a node.
func (n *Node) newBackend(id, key, secret string) (*backend.Client, *http.Transport, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b, err := backend.New(backend.Config{
		AppID: id, Key: key, Secret: secret, Host: n.Addr, Insecure: true,
		HTTPClient: &http.Client{Transport: transport, Timeout: 2 * service.Patience},
		Retries:    -1,
		Now:        func() time.Time { return time.Now().Add(time.Duration(n.clock.Load())) },
	})
	return b, transport, err
}

// start runs the process, without waiting until it is ready.
func (n *Node) start() {
	n.c.t.Helper()
	args := n.c.network.command(n.number, cmp.Or(n.binary, service.Binary()), "serve", "--config", n.dir+"/belfry.yaml")
	fmt.Fprintf(&n.log, "--- %s starts at %v\n", n.Name, n.c.History.Now())
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = service.Environment()
	cmd.Stdout, cmd.Stderr = &n.log, &n.log
	cmd.SysProcAttr = dieWithUs()
	if err := cmd.Start(); err != nil {
		n.c.t.Fatalf("start %s: %v", n.Name, err)
	}
	n.cmd, n.exited = cmd, make(chan error, 1)
	go func(exited chan<- error) { exited <- cmd.Wait() }(n.exited)
}

// awaitReady waits until the node says that it is ready.
func (n *Node) awaitReady() {
	n.c.t.Helper()
	deadline := time.Now().Add(service.Patience)
	for !n.Ready() {
		select {
		case err := <-n.exited:
			n.exited <- err
			n.c.t.Fatalf("%s ended before it was ready: %v", n.Name, err)
		case <-time.After(poll):
		}
		if time.Now().After(deadline) {
			n.c.t.Fatalf("%s was not ready after %v", n.Name, service.Patience)
		}
	}
	n.state.Lock()
	n.state.stopped = false
	n.state.Unlock()
}

// Ready reports whether the node wants clients.
func (n *Node) Ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return service.Ready(ctx, n.AdminAddr)
}

// fails begins what may be lost because of a fault of the node.
func (n *Node) fails() {
	if n.recovered == nil {
		n.recovered = n.c.History.MayLose(n.Name)
	}
}

// Kill ends the process without giving it a chance to do anything.
func (n *Node) Kill() {
	n.c.t.Helper()
	n.fails()
	if !n.c.options.Durable {
		n.c.History.Dies(n.Name)
	}
	if err := n.end(syscall.SIGKILL); err == nil {
		n.c.t.Errorf("%s ended with status 0 when it was killed", n.Name)
	}
}

// Terminate asks the process to end, as a deploy does, and waits until it has.
// Nothing may be lost by it.
func (n *Node) Terminate() {
	n.c.t.Helper()
	if err := n.end(syscall.SIGTERM); err != nil {
		n.c.t.Errorf("%s stopped with %v, want status 0", n.Name, err)
	}
}

// end signals the process and waits for its end. A process that has ended is
// left alone.
func (n *Node) end(sig syscall.Signal) error {
	n.c.t.Helper()
	if n.cmd == nil {
		return nil
	}
	n.state.Lock()
	n.state.stopped, n.state.paused = true, false
	n.state.Unlock()
	fmt.Fprintf(&n.log, "--- %s gets %v at %v\n", n.Name, sig, n.c.History.Now())
	if err := n.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.c.t.Errorf("signal %s: %v", n.Name, err)
	}
	var err error
	select {
	case err = <-n.exited:
	case <-time.After(2 * service.Patience):
		n.cmd.Process.Kill()
		<-n.exited
		err = fmt.Errorf("no end within %v of %v", 2*service.Patience, sig)
	}
	n.cmd = nil
	n.http.CloseIdleConnections()
	return err
}

// troubles are what no process may write.
var troubles = []string{"DATA RACE", "panic: ", "fatal error: "}

// checkLog looks for them.
func (n *Node) checkLog() {
	n.c.t.Helper()
	for _, trouble := range troubles {
		if strings.Contains(n.Log(), trouble) {
			n.c.t.Errorf("%s wrote %q", n.Name, trouble)
		}
	}
}

// Restart starts a node that has ended again: same name, addresses and data.
// It is ready and among its peers when Restart returns.
func (n *Node) Restart() {
	n.c.t.Helper()
	n.start()
	n.awaitReady()
	n.c.AwaitTogether()
}

// Pause stops the process in the middle of whatever it does.
func (n *Node) Pause() {
	n.c.t.Helper()
	n.fails()
	n.setPaused(true, sigPause)
}

// Resume lets a paused process go on. It is among its peers when Resume
// returns.
func (n *Node) Resume() {
	n.c.t.Helper()
	n.setPaused(false, sigResume)
	n.c.AwaitTogether()
}

func (n *Node) setPaused(paused bool, sig syscall.Signal) {
	n.c.t.Helper()
	fmt.Fprintf(&n.log, "--- %s gets %v at %v\n", n.Name, sig, n.c.History.Now())
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.c.t.Fatalf("signal %s: %v", n.Name, err)
	}
	n.state.Lock()
	n.state.paused = paused
	n.state.Unlock()
}

// Cut takes the node away from the others, while clients still reach it.
func (n *Node) Cut() {
	n.c.t.Helper()
	n.fails()
	n.setCut(true, n.c.network.cut)
}

// Heal undoes Cut. The node is among its peers when Heal returns.
func (n *Node) Heal() {
	n.c.t.Helper()
	n.setCut(false, n.c.network.heal)
	n.c.AwaitTogether()
}

func (n *Node) setCut(cut bool, do func(int) error) {
	n.c.t.Helper()
	fmt.Fprintf(&n.log, "--- %s: cut off is %t at %v\n", n.Name, cut, n.c.History.Now())
	if err := do(n.number); err != nil {
		n.c.t.Fatal(err)
	}
	n.state.Lock()
	n.state.cut = cut
	n.state.Unlock()
}

// release undoes what was done to a node when the test ends.
func (n *Node) release() {
	n.state.Lock()
	stopped, paused, cut := n.state.stopped, n.state.paused, n.state.cut
	n.state.Unlock()
	if paused && !stopped {
		n.setPaused(false, sigResume)
	}
	if cut {
		n.setCut(false, n.c.network.heal)
	}
}

// whole reports whether nothing is wrong with the node.
func (n *Node) whole() bool {
	n.state.Lock()
	defer n.state.Unlock()
	return !n.state.stopped && !n.state.paused && !n.state.cut
}
