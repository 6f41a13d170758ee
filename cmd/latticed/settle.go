package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// settleIn is when what only the start needed is given back to the system.
const settleIn = 10 * time.Second

// settle gives memory back that only the start needed: free heap (with ten thousand
// triggers a start needs twice what stays), and pages of the program itself.
func settle(log zerolog.Logger) {
	debug.FreeOSMemory()
	if err := letGoOfProgram(); err != nil {
		log.Debug().Err(err).Msg("the pages of the program stay in memory")
	}
}

// letGoOfProgram unmaps the pages of the program's own file. The start has run through
// most of them once, and the kernel maps their neighbours besides; an idle daemon uses a
// tenth. They stay in the page cache, shared by all that run this file: one that is used
// again comes back by a fault that reads nothing, sixteen at a time.
func letGoOfProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	clean, err := cleanMappings(f, program)
	if err != nil {
		return err
	}
	for _, m := range clean {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			err = errors.Join(err, fmt.Errorf("madvise: %w", errno))
		}
	}
	return err
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// cleanMappings finds, in the text of /proc/PID/smaps, where a file is mapped that
// nobody writes to and every page is the file's. Where one is not (anonymous: a linker
// has relocated it before it was made read-only, or a debugger has set a breakpoint),
// letting go would lose what was written, also when it is swapped out.
func cleanMappings(smaps io.Reader, file string) ([]mapping, error) {
	var clean []mapping
	var m mapping
	ours, own := false, false // own: no page in memory is other than the file's
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if from, to, perms, ok := heading(line); ok {
			m, own = mapping{from, to}, false
			ours = strings.HasSuffix(line, " "+file) && strings.HasPrefix(perms, "r-") && strings.HasSuffix(perms, "p")
		} else if rest, ok := strings.CutPrefix(line, "Anonymous:"); ok {
			own = ours && none(rest)
		} else if rest, ok := strings.CutPrefix(line, "Swap:"); ok && own && none(rest) {
			clean = append(clean, m)
		}
	}
	return clean, lines.Err()
}

// none reads a size of smaps.
func none(size string) bool { return strings.TrimSpace(size) == "0 kB" }

// heading reads the first line about a mapping: 400000-1394000 r-xp 00000000 fe:00 17 FILE
func heading(line string) (from, to uintptr, perms string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0, 0, "", false
	}
	first, last, _ := strings.Cut(words[0], "-")
	a, err := strconv.ParseUint(first, 16, 64)
	b, failed := strconv.ParseUint(last, 16, 64)
	return uintptr(a), uintptr(b), words[1], err == nil && failed == nil
}
