package cluster

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The wall clock of one process. A static Go binary reads it by code that the
// kernel maps into every process, the vDSO. Nothing in user space stands
// between, and there is no namespace for wall clocks, so that code is replaced
// in the process: by the system call itself, with the offset added for
// CLOCK_REALTIME alone.

// jumpedClock is clock_gettime(edi clock, rsi result) with an offset in
// seconds in the place of the four zeros.
var jumpedClock = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, 228 (clock_gettime)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi (CLOCK_REALTIME)
	0x75, 0x07, // jne past the addition
	0x48, 0x81, 0x06, 0, 0, 0, 0, // add qword [rsi], offset
	0xc3, // ret
}

const jumpedClockOffset = 14 // of the zeros

// JumpClock sets the wall clock of the running process ahead of ours, or
// behind it; 0 sets it right. It skips the test where that can not be done.
func (n *Node) JumpClock(by time.Duration) {
	n.c.t.Helper()
	pid := n.cmd.Process.Pid
	code := bytes.Clone(jumpedClock)
	binary.LittleEndian.PutUint32(code[jumpedClockOffset:], uint32(int32(by/time.Second)))
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		n.c.t.Skipf("the clock of one process can not be set: %v", err)
	}
	defer memory.Close()
	at, err := clockCode(pid, memory)
	if err != nil {
		n.c.t.Skipf("the clock of one process can not be set: %v", err)
	}
	fmt.Fprintf(&n.log, "--- %s: the clock jumps by %v at %v\n", n.Name, by, n.c.History.Now())
	n.c.await(10*time.Second, "the clock is being read", func() string {
		return n.replaceCode(memory, at, code)
	})
	n.clock.Store(int64(by)) // backends that call it go with it
}

// replaceCode writes code into the process while it stands still. It says why
// not if a thread is in the middle of what would be replaced.
func (n *Node) replaceCode(memory *os.File, at int64, code []byte) string {
	n.c.t.Helper()
	process := n.cmd.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return err.Error()
	}
	defer process.Signal(syscall.SIGCONT)
	counters, err := programCounters(process.Pid)
	if err != nil {
		return err.Error()
	}
	for _, pc := range counters {
		if pc > at && pc < at+int64(len(code)) {
			return "a thread is there"
		}
	}
	if _, err := memory.WriteAt(code, at); err != nil {
		n.c.t.Skipf("the clock of one process can not be set: %v", err)
	}
	return ""
}

// clockCode returns the address of clock_gettime in the vDSO of a process.
func clockCode(pid int, memory *os.File) (int64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			return 0, err
		}
		image := make([]byte, to-from)
		if _, err := memory.ReadAt(image, from); err != nil {
			return 0, err
		}
		file, err := elf.NewFile(bytes.NewReader(image))
		if err != nil {
			return 0, err
		}
		symbols, err := file.DynamicSymbols()
		if err != nil {
			return 0, err
		}
		for _, s := range symbols {
			if s.Name == "__vdso_clock_gettime" && s.Size >= uint64(len(jumpedClock)) {
				return from + int64(s.Value), nil
			}
		}
	}
	return 0, errors.New("the kernel maps no clock")
}

// programCounters returns where the threads of a stopped process are. It fails
// while one still runs.
func programCounters(pid int) ([]int64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return nil, err
	}
	var counters []int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		words := strings.Fields(string(text))
		if len(words) < 2 {
			return nil, fmt.Errorf("%s: %s", file, text)
		}
		pc, err := strconv.ParseInt(words[len(words)-1], 0, 64)
		if err != nil {
			return nil, err
		}
		counters = append(counters, pc)
	}
	return counters, nil
}
