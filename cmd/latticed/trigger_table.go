package main

import "strings"

// What the value of a field is.
const (
	fieldText = "text"
	fieldExpr = "expression" // bare, without ${{ }}
	fieldInt  = "number"
	fieldBool = "bool"
	fieldList = "list"  // repeatable, or with commas
	fieldRaw  = "SQL"   // repeatable; commas belong to it
	fieldAny  = "value" // text, or JSON
	fieldPath = "path"  // made absolute
	fieldTime = "duration"
	fieldSize = "size"
	fieldJSON = "JSON" // or YAML within braces
)

// field is one of a trigger's; its flag is its name with dashes.
type field struct{ name, kind, help string }

// triggerFields are those that have a flag, in the order of --help.
func triggerFields() []field {
	return []field{
		{"when", fieldExpr, "fire only when this is true of the event"},
		{"dedupe_key", fieldExpr, "events with the same value fire once"},
		{"overlap", fieldText, "when one still runs: allow, skip, queue, queue_latest or replace"},
		{"max_in_flight", fieldInt, "how many may run at a time"},
		{"rate", fieldText, "how many may start in which time at most: 60/1h"},
		{"batch", fieldJSON, "how many events make one dispatch, and how long to wait for them: {size: 10, wait: 5m}"},
		{"loop", fieldText, "what seems to come of the trigger's own results: hold or allow"},
		{"sweep", fieldJSON, "many dispatches of each firing: {grid: {bins: [64, 128]}}, or {list: […]}; with max_in_flight"},
		{"expect_every", fieldTime, "without an event for this long the trigger is failing"},

		{"dir_path", fieldPath, "directory: the folder or file to watch"},
		{"recursive", fieldBool, "directory: also the folders in it"},
		{"event_names", fieldList, "directory: created, deleted, modified, moved, closed, ready"},
		{"include", fieldList, "directory: only what matches a glob"},
		{"exclude", fieldList, "directory: nothing that matches a glob"},
		{"ignore_case", fieldBool, "directory: globs match capitals and small letters alike"},
		{"partial", fieldBool, "directory: also files whose names say that they are not whole yet (*.part, .~*, …)"},
		{"min_size", fieldSize, "directory: no smaller files"},
		{"settle", fieldTime, "directory: how long unchanged makes a file ready"},
		{"existing", fieldText, "directory: what is there already: ignore or fire"},
		{"mode", fieldText, "directory: auto, events, poll or both; sqlite, database: rows (each new one once) or level (while there are some)"},
		{"refire", fieldText, "directory: version (a file that changes fires again) or never"},
		{"unit", fieldText, "directory: file, or folder: one event for a whole folder"},
		{"depth", fieldInt, "directory: how deep the folders of unit folder are, 1 is directly in dir_path"},
		{"marker", fieldJSON, "directory: ready when these files are there, too: {all: [DONE.txt]} or {any: […]}"},
		{"group", fieldJSON, "directory: files that belong together: {by: REGEX, need: [GLOB, …]}"},
		{"expect", fieldJSON, "directory: complete with so many files, or those of a list: {count: 12} or {manifest: NAME}"},
		{"deadline", fieldTime, "directory: how long to wait for what belongs together"},
		{"on_deadline", fieldText, "directory: then hold or fire"},
		{"batch_size", fieldInt, "directory: how many files make one dispatch"},

		{"path_secret", fieldText, "webhook: the last part of the URL; one is made unless signature or tokens protects it"},
		{"signature", fieldJSON, "webhook: {style: github|stripe|hex, secret|secret_file|secret_env: …, header: NAME, tolerance: 5m}"},
		{"tokens", fieldBool, "webhook: only who has a token of role source for this trigger delivers"},
		{"delivery_id", fieldText, "webhook: the header that has the id by which a repeated delivery is known"},
		{"accept_rate", fieldText, "webhook: how many deliveries are taken in which time: 600/1m"},
		{"observe", fieldBool, "webhook: only record what is delivered, and fire nothing"},

		{"of", fieldJSON, "dispatch: whose ends: {lattice: NAME, trigger: NAME, label: {NAME: VALUE}, status: [completed, failed, cancelled]}"},

		{"db_path", fieldPath, "sqlite: the file; database: the same as url"},
		{"url", fieldText, "database: postgresql://user:password@host/db, mysql://…, mssql://…; others may see your command line: see url_file"},
		{"url_file", fieldPath, "database: a file whose first line is the URL, read by the daemon"},
		{"url_env", fieldText, "database: a variable of the daemon's environment that holds the URL"},
		{"table_name", fieldText, "sqlite, database: the table or view, or SCHEMA.TABLE"},
		{"poll_interval", fieldTime, "sqlite, database: how often to look, 50ms at least"},
		{"where_clauses", fieldRaw, "sqlite, database: a condition in SQL on rows (repeatable)"},
		{"cursor", fieldList, "sqlite, database: the columns that grow with each new row"},
		{"key", fieldList, "sqlite, database: the columns that tell rows apart"},
		{"version", fieldText, "sqlite, database: a column that grows with each change of a row, which then is an event, too"},
		{"start", fieldAny, "sqlite, database: from where on: now, beginning, or a value of the cursor column"},
		{"look_back", fieldTime, "sqlite, database: how late a row may be committed"},
		{"limit", fieldInt, "sqlite, database: how many rows to read at a time"},
		{"columns", fieldList, "sqlite, database: which columns event.row has"},
		{"query_timeout", fieldTime, "sqlite, database: how long one query may take"},
		{"trigger_after_n", fieldInt, "sqlite, database: with mode level, every so many looks that find rows"},
		{"listen", fieldText, "database: a channel of PostgreSQL whose messages make it look at once"},

		{"every", fieldTime, "time: how long from one to the next"},
		{"time_gap", fieldTime, "time: the same as every"},
		{"cron", fieldText, "time: minute hour day month weekday, or @daily"},
		{"at", fieldList, "time: instants, such as 2026-03-01T12:00:00Z"},
		{"timezone", fieldText, "time: the zone of cron and at, such as Europe/Berlin"},
		{"dst", fieldJSON, "time: when the clocks change: {gap: shift|skip, fold: first|last|both}"},
		{"jitter", fieldTime, "time: up to how much later, which depends on the trigger's name and on the instant"},
		{"catch_up", fieldText, "time: of what was missed: none, last or all"},
		{"window", fieldTime, "time: how long ago a tick may be that is caught up with"},
		{"cap", fieldInt, "time: how many are caught up with at most"},
		{"after", fieldText, "time: completion: every counts from the end of the last dispatch"},
	}
}

func (fd field) flag() string { return strings.ReplaceAll(fd.name, "_", "-") }
