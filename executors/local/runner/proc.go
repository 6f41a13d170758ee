package runner

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is one line of the process table.
type process struct {
	pid, ppid     int
	pgrp, session int
	start         int64 // clock ticks since boot
	state         byte
}

func (p process) dead() bool { return p.state == 'Z' || p.state == 'X' }

// readProcess reads /proc/PID/stat.
func readProcess(pid int) (process, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(pid, b)
}

// parseStat reads the fields after the name, which may hold spaces and parentheses.
func parseStat(pid int, b []byte) (process, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return process{}, fmt.Errorf("stat of process %d: no name", pid)
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return process{}, fmt.Errorf("stat of process %d: %d fields", pid, len(f))
	}
	p := process{pid: pid, state: f[0][0]}
	var err [4]error
	p.ppid, err[0] = strconv.Atoi(string(f[1]))
	p.pgrp, err[1] = strconv.Atoi(string(f[2]))
	p.session, err[2] = strconv.Atoi(string(f[3]))
	p.start, err[3] = strconv.ParseInt(string(f[19]), 10, 64)
	if e := errors.Join(err[:]...); e != nil {
		return process{}, fmt.Errorf("stat of process %d: %w", pid, e)
	}
	return p, nil
}

// processTable reads every process there is.
func processTable() ([]process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read /proc: %w", err)
	}
	var out []process
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue // not a process
		}
		if p, err := readProcess(pid); err == nil { // else it has ended meanwhile
			out = append(out, p)
		}
	}
	return out, nil
}

// hasTag tells whether a process carries the environment tag of an attempt. It can't
// be read for processes of other users.
func hasTag(pid int, attempt string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	tag := []byte(tagVariable + "=" + attempt)
	for entry := range bytes.SplitSeq(b, []byte{0}) {
		if bytes.Equal(entry, tag) {
			return true
		}
	}
	return false
}

// signalProcess sends sig to p unless its pid belongs to another process by now.
func signalProcess(p process, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	now, err := readProcess(p.pid)
	if err != nil {
		return err
	}
	if now.start != p.start {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// BootID names this boot of the machine.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// ticks is the time since boot in the unit of process start times.
func ticks() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ts.Nano() / int64(time.Second/userHZ)
}

const (
	userHZ      = 100 // fixed for all that is shown to processes
	tagVariable = "LATTICED_ATTEMPT"
)
