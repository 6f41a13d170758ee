package local

import (
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/executors/local/runner"
)

// Options says how local attempts run. The zero value of a field means its default.
type Options struct {
	StateDir   string // required
	RuntimeDir string // folder of the runner's socket; default: see runner.RuntimeDir
	Socket     string // the whole path of the socket, when somebody else starts the runner (systemd)
	Binary     string // started as `BINARY runner …`; default: this program; unused with Socket
	RunnerUID  int    // the runner's user besides one's own and root; negative: any

	Env     map[string]string // added to every attempt's environment
	PassEnv []string          // names taken over from this process's environment

	Connect time.Duration // patience for a runner to answer; default 10 s

	// Runner is passed on to a runner that is started: limits, for tests above all.
	// StateDir, RuntimeDir and Socket are filled in.
	Runner runner.Options

	Log zerolog.Logger
}

func (o *Options) defaults() error {
	if o.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		o.Binary = exe
	}
	if o.Connect == 0 {
		o.Connect = 10 * time.Second
	}
	if o.Runner.Protocol == 0 {
		o.Runner.Protocol = runner.Protocol
	}
	o.Runner.StateDir, o.Runner.RuntimeDir, o.Runner.Socket = o.StateDir, o.RuntimeDir, o.Socket
	return nil
}
