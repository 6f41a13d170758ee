package runner

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"time"
)

// Options says how a runner works. The zero value of a field means its default.
type Options struct {
	StateDir   string        // required
	RuntimeDir string        // for the socket; default: see RuntimeDir
	Socket     string        // the whole path of the socket, instead of RuntimeDir
	UID        int           // a user besides the runner's own and root that may connect; default none (0 is root anyway)
	GID        int           // users with this primary group may connect; default none
	Idle       time.Duration // leaves after this without attempts and daemon; default 5 s
	LogKeep    int64         // bytes kept of each end of stdout and stderr; default 8 MiB
	LogMax     int64         // where nothing can be cut out, an attempt past this is ended; default 1 GiB
	KeepDirs   time.Duration // kept working directories are removed after this; default 3 days
	NoCgroup   bool          // don't use cgroups even where they are writable
	Protocol   int           // default Protocol
	Detach     bool          // start the runner in the background and return
}

func (o *Options) defaults() error {
	if o.StateDir == "" {
		return errors.New("a state directory is needed")
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Second
	}
	if o.LogKeep == 0 {
		o.LogKeep = 8 << 20
	}
	if o.LogMax == 0 {
		o.LogMax = 1 << 30
	}
	if o.KeepDirs == 0 {
		o.KeepDirs = 72 * time.Hour
	}
	if o.Protocol == 0 {
		o.Protocol = Protocol
	}
	return nil
}

func (o *Options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("runner", flag.ContinueOnError)
	f.StringVar(&o.StateDir, "state-dir", o.StateDir, "state directory")
	f.StringVar(&o.RuntimeDir, "runtime-dir", o.RuntimeDir, "folder of the socket")
	f.StringVar(&o.Socket, "socket", o.Socket, "path of the socket")
	f.Func("uid", "user, by name or number, that may connect besides the runner's own and root", func(who string) (err error) {
		o.UID, err = userID(who)
		return err
	})
	f.IntVar(&o.GID, "gid", o.GID, "primary group of users that may connect")
	f.DurationVar(&o.Idle, "idle", o.Idle, "leave after this without attempts and daemon")
	f.Int64Var(&o.LogKeep, "log-keep", o.LogKeep, "bytes kept of each end of stdout and stderr")
	f.Int64Var(&o.LogMax, "log-max", o.LogMax, "limit of logs that can't be cut")
	f.DurationVar(&o.KeepDirs, "keep-dirs", o.KeepDirs, "remove kept working directories after this")
	f.BoolVar(&o.NoCgroup, "no-cgroup", o.NoCgroup, "don't use cgroups")
	f.IntVar(&o.Protocol, "protocol", o.Protocol, "number of the protocol")
	f.BoolVar(&o.Detach, "detach", o.Detach, "go to the background")
	return f
}

// userID finds a user by number or name; units know names only.
func userID(who string) (int, error) {
	if n, err := strconv.Atoi(who); err == nil {
		return n, nil
	}
	u, err := user.Lookup(who)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// ParseArgs reads the arguments of `latticed runner`.
func ParseArgs(args []string, output io.Writer) (Options, error) {
	var o Options
	f := o.flags()
	f.SetOutput(output)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("runner: unexpected argument %q", f.Arg(0))
	}
	if o.StateDir == "" {
		o.StateDir = os.Getenv("STATE_DIRECTORY")
	}
	return o, o.defaults()
}

// Args is the inverse of ParseArgs.
func (o Options) Args() []string {
	args := []string{"--state-dir=" + o.StateDir}
	text := func(name, v string) {
		if v != "" {
			args = append(args, "--"+name+"="+v)
		}
	}
	number := func(name string, v int64) {
		if v != 0 {
			args = append(args, "--"+name+"="+strconv.FormatInt(v, 10))
		}
	}
	length := func(name string, v time.Duration) {
		if v != 0 {
			args = append(args, "--"+name+"="+v.String())
		}
	}
	text("runtime-dir", o.RuntimeDir)
	text("socket", o.Socket)
	number("uid", int64(o.UID))
	number("gid", int64(o.GID))
	length("idle", o.Idle)
	number("log-keep", o.LogKeep)
	number("log-max", o.LogMax)
	length("keep-dirs", o.KeepDirs)
	if o.NoCgroup {
		args = append(args, "--no-cgroup")
	}
	number("protocol", int64(o.Protocol))
	if o.Detach {
		args = append(args, "--detach")
	}
	return args
}
