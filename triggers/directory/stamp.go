package directory

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stamp is the version of a file. Times are ns since the epoch.
type stamp struct {
	dev, ino           uint64
	size, mtime, ctime int64
}

func stampOf(st *unix.Stat_t) stamp {
	return stamp{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, //nolint:unconvert // Dev is 32 bits wide elsewhere
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// String is the form in which versions are stored and part of event keys.
func (s stamp) String() string {
	b := make([]byte, 0, 64)
	b = strconv.AppendUint(b, s.dev, 16)
	b = strconv.AppendUint(append(b, '.'), s.ino, 16)
	b = strconv.AppendInt(append(b, '.'), s.size, 16)
	b = strconv.AppendInt(append(b, '.'), s.mtime, 16)
	b = strconv.AppendInt(append(b, '.'), s.ctime, 16)
	return string(b)
}

func parseStamp(text string) (stamp, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 5 {
		return stamp{}, fmt.Errorf("%q is not a version", text)
	}
	var s stamp
	var errs [5]error
	s.dev, errs[0] = strconv.ParseUint(parts[0], 16, 64)
	s.ino, errs[1] = strconv.ParseUint(parts[1], 16, 64)
	s.size, errs[2] = strconv.ParseInt(parts[2], 16, 64)
	s.mtime, errs[3] = strconv.ParseInt(parts[3], 16, 64)
	s.ctime, errs[4] = strconv.ParseInt(parts[4], 16, 64)
	for _, err := range errs {
		if err != nil {
			return stamp{}, fmt.Errorf("version %q: %w", text, err)
		}
	}
	return s, nil
}
