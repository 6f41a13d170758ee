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
	keyDur       = "dur"
)
