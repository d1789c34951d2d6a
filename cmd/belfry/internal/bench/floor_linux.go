package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// measure returns the processor time of one write.
func (f floor) measure(ctx context.Context) (time.Duration, error) {
	// The writer keeps a processor of Go's to itself, and the reader must not
	// wait for it, even where this process is kept to a single one.
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(procs, 3))
	defer runtime.GOMAXPROCS(procs)

	pairs, err := openPairs(f.sockets)
	defer pairs.close()
	if err != nil {
		return 0, fmt.Errorf("bench: the floor: %w", err)
	}
	var over atomic.Bool
	var reader sync.WaitGroup
	reader.Go(func() { pairs.read(&over) })
	defer reader.Wait()
	defer over.Store(true)

	type outcome struct {
		each time.Duration
		err  error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its processors with it
		each, err := f.write(ctx, pairs.writers)
		done <- outcome{each, err}
	}()
	o := <-done
	if o.err != nil {
		return 0, fmt.Errorf("bench: the floor: %w", o.err)
	}
	return o.each, nil
}

// write writes round after round, a frame to every socket, and returns the
// processor time of a write.
func (f floor) write(ctx context.Context, sockets []int) (time.Duration, error) {
	if f.pid != 0 {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(f.pid, &set); err == nil {
			unix.SchedSetaffinity(0, &set) // a floor on another processor is still a floor
		}
	}
	frame := make([]byte, f.bytes)
	every := time.Duration(float64(len(sockets)) / f.rate * float64(time.Second))
	before, err := threadUse()
	if err != nil {
		return 0, err
	}
	writes := 0
	start := time.Now()
	for round := 0; time.Since(start) < f.duration && ctx.Err() == nil; round++ {
		if pause := time.Until(start.Add(time.Duration(round) * every)); pause > 0 {
			t := unix.NsecToTimespec(int64(pause))
			unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil) // a signal makes one round early
		}
		for _, fd := range sockets {
			_, err := unix.Write(fd, frame)
			if err == nil {
				writes++
			} else if err != unix.EAGAIN {
				return 0, os.NewSyscallError("write", err)
			}
		}
	}
	after, err := threadUse()
	if err != nil {
		return 0, err
	}
	if writes == 0 {
		return 0, errors.New("nothing could be written")
	}
	return (after - before) / time.Duration(writes), nil
}

// threadUse is the processor time that this thread has used.
func threadUse() (time.Duration, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &r); err != nil {
		return 0, os.NewSyscallError("getrusage", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// socketPairs are TCP connections on loopback of which we have both ends.
type socketPairs struct{ writers, readers []int }

func openPairs(n int) (*socketPairs, error) {
	p := &socketPairs{}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return p, os.NewSyscallError("socket", err)
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return p, os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(listener, 16); err != nil {
		return p, os.NewSyscallError("listen", err)
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return p, os.NewSyscallError("getsockname", err)
	}
	for range n {
		if err := p.add(listener, address); err != nil {
			return p, err
		}
	}
	return p, nil
}

// add makes one more connection.
func (p *socketPairs) add(listener int, address unix.Sockaddr) error {
	reader, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	p.readers = append(p.readers, reader)
	if err := unix.Connect(reader, address); err != nil {
		return os.NewSyscallError("connect", err)
	}
	writer, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("accept4", err)
	}
	p.writers = append(p.writers, writer)
	// What is closed leaves nothing behind that holds on to a port.
	linger := unix.SetsockoptLinger(writer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return errors.Join(linger, unix.SetNonblock(reader, true), unix.SetsockoptInt(writer, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

func (p *socketPairs) close() {
	for _, fd := range p.writers {
		unix.Close(fd)
	}
	for _, fd := range p.readers {
		unix.Close(fd)
	}
}

// read reads all that is written, until over.
func (p *socketPairs) read(over *atomic.Bool) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return // the writer finds its sockets full
	}
	defer unix.Close(epoll)
	for _, fd := range p.readers {
		if unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) != nil {
			return
		}
	}
	events, buf := make([]unix.EpollEvent, 256), make([]byte, 64<<10)
	for !over.Load() {
		n, _ := unix.EpollWait(epoll, events, 100)
		for _, e := range events[:max(n, 0)] {
			unix.Read(int(e.Fd), buf) // what matters is that it is gone
		}
	}
}
