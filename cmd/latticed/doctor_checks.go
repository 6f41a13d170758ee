package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/store"
)

// What the checks here need is a machine and a state directory, not a daemon.

func well(name, detail string) api.Check {
	return api.Check{Name: name, Verdict: api.VerdictOK, Detail: detail}
}

func warn(name, detail, remedy string) api.Check {
	return api.Check{Name: name, Verdict: api.VerdictWarn, Detail: detail, Remedy: remedy}
}

func wrong(name, detail, remedy string) api.Check {
	return api.Check{Name: name, Verdict: api.VerdictWrong, Detail: detail, Remedy: remedy}
}

// checkClock asks the kernel whether somebody keeps its clock.
func checkClock() api.Check {
	const name, remedy = "clock", "let the machine keep its time: timedatectl set-ntp true"
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	now := time.Now().UTC()
	switch {
	case now.Year() < 2024:
		return wrong(name, "it is "+now.Format(time.RFC3339)+" here", remedy)
	case err != nil:
		return well(name, "it is "+now.Format(time.RFC3339)+"; whether it is kept can't be seen: "+err.Error())
	case state == unix.TIME_ERROR || tx.Status&unix.STA_UNSYNC != 0:
		return warn(name, "it is "+now.Format(time.RFC3339)+" here, and nothing keeps the clock", remedy)
	}
	return well(name, "it is "+now.Format(time.RFC3339)+", and the clock is kept")
}

// checkDisk looks at the disk of the state directory; least is what has to be free of so
// many bytes.
func checkDisk(dir string, least func(total int64) int64) api.Check {
	const name = "disk"
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return wrong(name, fmt.Sprintf("%s can't be looked at: %v", dir, err), "is it mounted?")
	}
	free, total, err := store.Space(dir)
	if err != nil {
		return wrong(name, fmt.Sprintf("%s can't be looked at: %v", dir, err), "is it mounted?")
	}
	said := fmt.Sprintf("%s of %s are free in %s", bytesText(free), bytesText(total), dir)
	remedy := "make room, or let history go: [retention] in the configuration, latticed prune --dry-run --age 90d"
	switch network, is, err := store.NetworkFilesystem(store.DatabaseDir(dir)); {
	case st.Flags&unix.ST_RDONLY != 0:
		return wrong(name, dir+" is mounted read-only", "look into the kernel's log (dmesg) for why, and mount it anew")
	case err == nil && is:
		return wrong(name, store.DatabaseDir(dir)+" is on "+network+", where the database would be damaged", "move the state directory to a local disk")
	case free < least(total):
		return wrong(name, said+"; below "+bytesText(least(total))+" no attempt starts", remedy)
	case st.Files > 0 && st.Ffree <= st.Files/100:
		return wrong(name, fmt.Sprintf("%s, and %d of %d inodes", said, st.Ffree, st.Files), remedy)
	case free < 2*least(total):
		return warn(name, said+"; below "+bytesText(least(total))+" no attempt starts", remedy)
	}
	return well(name, said)
}

func statfs(dir string, st *unix.Statfs_t) (err error) {
	for err = unix.Statfs(dir, st); errors.Is(err, unix.EINTR); err = unix.Statfs(dir, st) {
	}
	return err
}

// checkPermissions looks whether the state directory is ours and closed to others.
func checkPermissions(dir string) api.Check {
	const name = "permissions"
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return wrong(name, err.Error(), "look as the user the daemon runs as")
	}
	database := filepath.Join(dir, "latticed.db")
	info, err := os.Stat(database)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return wrong(name, err.Error(), "look as the user the daemon runs as")
	case errors.Is(err, fs.ErrNotExist):
		return warn(name, "there is no database in "+dir, "has the daemon ever run with this --state-dir?")
	case err != nil:
		return wrong(name, err.Error(), "is the disk well?")
	case info.Mode().Perm()&0o077 != 0:
		return wrong(name, fmt.Sprintf("%s may be opened by others (%s)", database, info.Mode().Perm()), "chmod 0600 "+database)
	case st.Mode&0o022 != 0:
		return wrong(name, fmt.Sprintf("%s may be written by others (%#o)", dir, st.Mode&0o777), "chmod 0711 "+dir)
	}
	if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Uid != st.Uid {
		return wrong(name, "the database belongs to another user than its folder", "chown -R both to the user the daemon runs as")
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return wrong(name, fmt.Sprintf("%s can't be written: %v", dir, err), "it must belong to the user the daemon runs as")
	}
	return well(name, dir+" belongs to the daemon and is closed to others")
}

// checkInotify looks whether the kernel gives more watches; used are those we hold, and
// so often a queue of ours was full.
func checkInotify(used int, overflows int64) api.Check {
	const name = "inotify"
	watches, instances := inotifyLimit("watches"), inotifyLimit("instances")
	said := fmt.Sprintf("%d of %d watches are ours, %d instances are possible", used, watches, instances)
	more := "sysctl fs.inotify.max_user_watches=" + strconv.Itoa(max(524288, 2*watches)) + " fs.inotify.max_user_instances=" + strconv.Itoa(max(1024, 2*instances)) +
		"; write it to /etc/sysctl.d/ so that it stays"
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return wrong(name, "the kernel gives no more instances of inotify: "+err.Error()+"; folders are looked at from time to time only", more)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, "/", unix.IN_DELETE_SELF); err != nil {
		return wrong(name, "the kernel gives no more watches: "+err.Error()+"; folders are looked at from time to time only", more)
	}
	switch {
	case watches > 0 && used > watches-watches/10:
		return warn(name, said, more)
	case overflows > 0: // the limit is read when a queue is made
		queue := inotifyLimit("queued_events")
		return warn(name, fmt.Sprintf("%s; its queue of %d hints was full %s since the start, and everything was looked at then: nothing is lost, but it takes longer", said, queue, count(int(overflows), "time")),
			"sysctl fs.inotify.max_queued_events="+strconv.Itoa(max(65536, 4*queue))+", kept in /etc/sysctl.d/; then restart the daemon")
	}
	return well(name, said)
}

// inotifyLimit reads a limit of the kernel, the least that counts for us; 0: unknown.
func inotifyLimit(what string) (limit int) {
	for _, file := range []string{"/proc/sys/fs/inotify/max_user_" + what, "/proc/sys/user/max_inotify_" + what, "/proc/sys/fs/inotify/max_" + what} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}
