package dispatcher

// The keys of log lines, the same in every room.
const (
	keyComponent = "component"
	keyDispatch  = "dispatch"
	keyElectron  = "electron"
	keyAttempt   = "attempt"
	keyExecutor  = "executor"
	keyStatus    = "status"
	keyReason    = "reason"
	keyErr       = "err"
	keyDur       = "dur" // how long it took, or how long until it is tried again
	keyLattice   = "lattice"
	keySweep     = "sweep"
	keyCount     = "count"
)
