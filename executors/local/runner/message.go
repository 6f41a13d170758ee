package runner

// Protocol is the number of the language that daemon and runner speak. A daemon
// of a newer protocol starts a runner of its own and keeps this one until it drains.
const Protocol = 1

// Message is one thing said over a Conn.
type Message interface {
	kind() byte
	fields(c *coder)
}

// Hello is the first message in both directions.
type Hello struct {
	Protocol int64
	PID      int64
	UID      int64
	BootID   string
	User     string
	Cgroup   string // where attempts get cgroups of their own, empty when nowhere
	WorkDir  string
}

// Piece is a file on its way: its bytes, or a descriptor that travels beside the message.
type Piece struct {
	Name    string
	Size    int64
	Mode    int64  // permission bits, when it is to be laid out
	Problem string // why there is nothing: see the Problem constants
	Omitted int64  // bytes left out of the middle of a log
	Data    []byte
	FD      bool // the bytes are in the next descriptor of the message
}

// What may be wrong with a file that was asked for.
const (
	ProblemMissing = "missing"
	ProblemIrreg   = "irregular" // a directory, a fifo …
	ProblemEscapes = "escapes"   // a symbolic link leads out of the working directory
	ProblemError   = "error: "   // followed by what the system said of it
	ProblemAgain   = "not now: " // followed by what this machine lacks at the moment
)

// Start asks for an attempt to be run, or joined when the runner knows it.
type Start struct {
	Attempt string
	Attach  bool // only join it; an attempt never seen is answered with Unknown
	Cancel  bool // end it; an attempt never seen is answered as cancelled
	Argv    []string
	Env     []string // KEY=VALUE over the base environment
	Unset   []string // names taken from the base environment
	Files   []Piece  // laid out before the start
	Collect []string // files wanted back whatever the end, when they exist
	Outputs []string // files wanted back after exit status 0
	Timeout int64    // microseconds, 0: none
	Grace   int64    // microseconds
}

// Cancel asks for the end of an attempt.
type Cancel struct{ Attempt string }

// Release says that the end of an attempt is stored; with Keep its directory stays.
type Release struct {
	Attempt string
	Keep    bool
}

// Failed says that an attempt which exited well has failed all the same: whoever finds it
// released by nobody keeps its directory. It comes before the end is stored.
type Failed struct{ Attempt string }

// Log asks for what an attempt has written so far.
type Log struct {
	Request int64
	Attempt string
	Stream  string
}

// Check asks whether an attempt could be started now.
type Check struct{ Request int64 }

// Reply answers Log (with a descriptor) and Check; Problem is empty when all is well.
type Reply struct {
	Request int64
	Problem string
	FD      bool
}

// List asks which attempts have ended and were not released.
type List struct{ Request int64 }

// Attempts answers List.
type Attempts struct {
	Request int64
	Ended   []string // well, or because they were asked to: nobody looks for their directories
	Failed  []string // in any other way, or by what a daemon has said
}

// Unknown answers an Attach for an attempt that was never seen here.
type Unknown struct{ Attempt string }

// Refused says that an attempt wasn't started.
type Refused struct {
	Attempt   string
	Code      string
	Text      string
	Permanent bool // it never will be
}

// Condition tells of something worth knowing while an attempt runs; an empty code
// says that it has passed.
type Condition struct {
	Attempt string
	Code    string
	Detail  string
}

// Ended says how an attempt ended, with what it left.
type Ended struct {
	Attempt   string
	Cause     string // why it was ended: see the Cause constants
	Exit      int64  // -1 when it did not exit by itself
	Signal    int64  // that ended it, 0 when none
	StartedAt int64  // microseconds, 0 when it never started
	EndedAt   int64
	CPU       int64 // microseconds
	MaxRSS    int64 // bytes; the kernel counts the moment before the program as well, so the runner's own size at least
	Notes     []string
	WorkDir   string
	Stdout    Piece
	Stderr    Piece
	Collected []Piece
	Outputs   []Piece
}

// Why the runner ended an attempt.
const (
	CauseNone     = ""
	CauseCancel   = "cancelled"
	CauseTimeout  = "timeout"
	CauseLogLimit = "log_limit"
	CauseLost     = "lost" // nobody saw its end
)

// Survivors is the code of the Condition that something of an attempt can't be ended.
const Survivors = "survivors"
