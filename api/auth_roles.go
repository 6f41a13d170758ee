package api

import "net/http"

// Viewer, operator and admin may each do what the one before may; source stands
// beside them, for a token that an agent on another machine has.
const (
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
	RoleSource   Role = "source"
)

// access is who may use an operation, and what of it is audited.
type access struct {
	least   Role // empty: everybody, also strangers
	source  bool // also with role source
	changes int  // the usual status of a change to be audited; 0: it changes nothing, or what it makes names its maker
}

// accesses is the table of all operations.
func accesses() map[string]access {
	return map[string]access{
		"Healthz": {},
		"Readyz":  {},
		// Who delivers shows a secret path, a signature or a token, which the hook looks at.
		"DeliverHook": {},

		"Whoami":    {least: RoleViewer, source: true},
		"PutAsset":  {least: RoleOperator, source: true},
		"GetUpload": {least: RoleViewer, source: true},

		"Metrics":           {least: RoleViewer},
		"Openapi":           {least: RoleViewer},
		"Explain":           {least: RoleViewer},
		"Doctor":            {least: RoleViewer},
		"GetHold":           {least: RoleViewer},
		"ListExecutors":     {least: RoleViewer},
		"StreamEvents":      {least: RoleViewer},
		"ListLattices":      {least: RoleViewer},
		"GetLattice":        {least: RoleViewer},
		"GetInclude":        {least: RoleViewer},
		"ListDispatches":    {least: RoleViewer},
		"GetDispatch":       {least: RoleViewer},
		"ListElectrons":     {least: RoleViewer},
		"GetElectron":       {least: RoleViewer},
		"GetStdout":         {least: RoleViewer},
		"GetStderr":         {least: RoleViewer},
		"GetElectronResult": {least: RoleViewer},
		"GetElectronFile":   {least: RoleViewer},
		"ListTriggers":      {least: RoleViewer},
		"GetTrigger":        {least: RoleViewer},
		"ListEvents":        {least: RoleViewer},
		"ListFirings":       {least: RoleViewer},

		"CreateDispatch":  {least: RoleOperator},
		"Redispatch":      {least: RoleOperator},
		"CheckExecutor":   {least: RoleOperator},
		"TestTrigger":     {least: RoleOperator},
		"GetHook":         {least: RoleOperator}, // its path is a secret
		"StoreLattice":    {least: RoleOperator, changes: http.StatusCreated},
		"StartDispatch":   {least: RoleOperator, changes: http.StatusOK},
		"CancelDispatch":  {least: RoleOperator, changes: http.StatusOK},
		"PatchDispatch":   {least: RoleOperator, changes: http.StatusOK},
		"DeleteDispatch":  {least: RoleOperator, changes: http.StatusNoContent},
		"BulkCancel":      {least: RoleOperator, changes: http.StatusOK},
		"BulkRedispatch":  {least: RoleOperator, changes: http.StatusOK},
		"CreateSweep":     {least: RoleOperator, changes: http.StatusCreated},
		"CreateTrigger":   {least: RoleOperator, changes: http.StatusCreated},
		"PutTrigger":      {least: RoleOperator, changes: http.StatusOK},
		"PatchTrigger":    {least: RoleOperator, changes: http.StatusOK},
		"DeleteTrigger":   {least: RoleOperator, changes: http.StatusNoContent},
		"PauseTrigger":    {least: RoleOperator, changes: http.StatusOK},
		"ResumeTrigger":   {least: RoleOperator, changes: http.StatusOK},
		"FireTrigger":     {least: RoleOperator, changes: http.StatusCreated},
		"RetryEvents":     {least: RoleOperator, changes: http.StatusOK},
		"BackfillTrigger": {least: RoleOperator, changes: http.StatusOK},

		"ListTokens":  {least: RoleAdmin},
		"ListAudit":   {least: RoleAdmin},
		"Backup":      {least: RoleAdmin, changes: http.StatusOK}, // all there is goes out
		"CreateToken": {least: RoleAdmin, changes: http.StatusCreated},
		"RevokeToken": {least: RoleAdmin, changes: http.StatusNoContent},
		"Prune":       {least: RoleAdmin, changes: http.StatusOK},
		"EndHold":     {least: RoleAdmin, changes: http.StatusNoContent},
	}
}

// allows tells whether a role may use the operation.
func (a access) allows(r Role) bool {
	switch {
	case a.least == "":
		return true
	case r == RoleSource:
		return a.source
	}
	rank := map[Role]int{RoleViewer: 1, RoleOperator: 2, RoleAdmin: 3}
	return rank[r] > 0 && rank[r] >= rank[a.least]
}
