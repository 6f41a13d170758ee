package store

// Row structs mirror the tables and never leave this package. A NULL is a zero value
// here; where zero means something else the field is a pointer.

type dispatchRow struct {
	Number            int64 `gorm:"primaryKey"`
	ID                string
	Seq               int64
	Status            string
	Running           int
	Completed         int
	Failed            int
	Cancelled         int
	Skipped           int
	Total             int
	Reason            string
	Waiting           string
	CancelRequestedAt int64
	Marked            bool
	Lattice           int64
	LatticeName       string
	Owner             string
	CreatedBy         string
	RunAs             string
	ParentID          string
	Root              int64
	Reuse             bool
	Sweep             int64
	Held              int64
	Trigger           int64
	FiringID          string
	Labels            string
	Note              string
	Keep              bool
	CreatedAt         int64 `gorm:"autoCreateTime:false"`
	StartedAt         int64
	EndedAt           int64
	EndedSeq          int64
	Error             string
	Result            string
	Inputs            string
}

type labelRow struct {
	Dispatch  int64  `gorm:"primaryKey"`
	Key       string `gorm:"primaryKey"`
	Value     string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

type electronRow struct {
	Dispatch   int64 `gorm:"primaryKey"`
	Idx        int   `gorm:"primaryKey"`
	Name       string
	Status     string
	Reason     string
	Waiting    string
	Executor   string
	Result     []byte
	ResultSize int64
	Pickle     []byte
	PickleSize int64
	Error      string
	Files      string
	ReusedFrom string
	Reuse      string
	Stdout     []byte
	StdoutSize int64
	Stderr     []byte
	StderrSize int64
	StartedAt  int64
	EndedAt    int64

	Fingerprint       string
	CancelRequestedAt int64
}

type attemptRow struct {
	Dispatch   int64 `gorm:"primaryKey"`
	Electron   int   `gorm:"primaryKey"`
	N          int   `gorm:"primaryKey"`
	ID         string
	Status     string
	ExitCode   *int
	Signal     string
	Handle     string
	Error      string
	Usage      string
	WorkDir    string
	Notes      string
	Stdout     []byte
	StdoutSize int64
	Stderr     []byte
	StderrSize int64
	StartedAt  int64
	EndedAt    int64
}

type latticeRow struct {
	N           int64 `gorm:"primaryKey"`
	ID          string
	Name        string
	Description string
	Electrons   int
	Owner       string
	CreatedBy   string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
	Document    string
}

type latticeNameRow struct {
	Name      string `gorm:"primaryKey"`
	Lattice   int64
	Owner     string
	CreatedBy string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

type latticeAssetRow struct {
	Lattice int64  `gorm:"primaryKey"`
	SHA256  []byte `gorm:"column:sha256;primaryKey"`
}

type assetRow struct {
	N         int64  `gorm:"primaryKey"`
	SHA256    []byte `gorm:"column:sha256"`
	Size      int64
	Refs      int64
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	Data      []byte
}

type uploadRow struct {
	SHA256    []byte `gorm:"column:sha256;primaryKey"`
	Owner     string `gorm:"primaryKey"`
	CreatedBy string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

type triggerRow struct {
	N            int64 `gorm:"primaryKey"`
	ID           string
	Name         string
	Kind         string
	Revision     int
	State        string
	Reason       string
	Spec         string
	DispatchID   string
	LatticeID    string
	LatticeName  string
	Owner        string
	CreatedBy    string
	RunAs        string
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
	UpdatedAt    int64 `gorm:"autoUpdateTime:false"`
	RemovedAt    int64
	LastEventAt  int64
	LastFiringAt int64
	NextAt       int64
	Seq          int64
}

type revisionRow struct {
	Trigger     int64 `gorm:"primaryKey"`
	Revision    int   `gorm:"primaryKey"`
	Name        string
	Spec        string
	DispatchID  string
	LatticeID   string
	LatticeName string
	CreatedBy   string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
}

type cursorRow struct {
	Trigger   int64 `gorm:"primaryKey"`
	Data      string
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

type entityRow struct {
	Trigger int64  `gorm:"primaryKey"`
	Key     []byte `gorm:"primaryKey"`
	Version string
	Data    string
}

type eventRow struct {
	N       int64 `gorm:"primaryKey"`
	ID      string
	Trigger int64
	Key     string
	Kind    string
	At      int64
	State   string
	Reason  string
	Firing  int64
	Path    []byte
	Payload string
	Dedupe  string
	Seq     int64

	Generation int
}

type firingRow struct {
	N          int64 `gorm:"primaryKey"`
	ID         string
	Trigger    int64
	Revision   int
	Decision   string
	Reason     string
	Dispatches string
	At         int64
	Seq        int64
}

type keyRow struct {
	Principal string `gorm:"primaryKey"`
	Route     string `gorm:"primaryKey"`
	Key       string `gorm:"primaryKey"`
	BodyHash  []byte
	Status    int
	Header    string
	Body      []byte
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

type tokenRow struct {
	ID         string `gorm:"primaryKey"`
	Name       string
	Role       string
	Trigger    int64
	Hash       []byte
	Owner      string
	CreatedBy  string
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	ExpiresAt  int64
	LastUsedAt int64
	RevokedAt  int64
}

type tombstoneRow struct {
	Seq  int64 `gorm:"primaryKey"`
	Kind string
	ID   string
	At   int64
}

type metaRow struct {
	Key   string `gorm:"primaryKey"`
	Value int64
}

type pastKeyRow struct {
	Trigger int64  `gorm:"primaryKey"`
	Hash    []byte `gorm:"primaryKey"`
}

func (dispatchRow) TableName() string     { return "dispatches" }
func (labelRow) TableName() string        { return "dispatch_labels" }
func (electronRow) TableName() string     { return "electrons" }
func (attemptRow) TableName() string      { return "attempts" }
func (latticeRow) TableName() string      { return "lattices" }
func (latticeNameRow) TableName() string  { return "lattice_names" }
func (latticeAssetRow) TableName() string { return "lattice_assets" }
func (assetRow) TableName() string        { return "assets" }
func (uploadRow) TableName() string       { return "uploads" }
func (triggerRow) TableName() string      { return "triggers" }
func (revisionRow) TableName() string     { return "trigger_revisions" }
func (cursorRow) TableName() string       { return "cursors" }
func (entityRow) TableName() string       { return "entities" }
func (eventRow) TableName() string        { return "events" }
func (firingRow) TableName() string       { return "firings" }
func (keyRow) TableName() string          { return "idempotency_keys" }
func (tokenRow) TableName() string        { return "tokens" }
func (tombstoneRow) TableName() string    { return "tombstones" }
func (metaRow) TableName() string         { return "meta" }
func (pastKeyRow) TableName() string      { return "past_keys" }
