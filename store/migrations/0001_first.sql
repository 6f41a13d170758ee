-- The first schema. Instants are µs UTC; words are checked here, so that a wrong one
-- cannot be stored. A CHECK with OR is used where IN would build a table per statement.
-- "seq" is one counter over dispatches, triggers, events, firings and tombstones.

CREATE TABLE migration_hashes (
	id     TEXT NOT NULL PRIMARY KEY,
	sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE assets (
	n          INTEGER PRIMARY KEY,
	sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
	size       INTEGER NOT NULL CHECK (size >= 0),
	refs       INTEGER NOT NULL CHECK (refs >= 0), -- by electrons, attempts, lattices
	created_at INTEGER NOT NULL,
	data       BLOB -- NULL: in a file
) STRICT;
CREATE INDEX assets_unused ON assets (n) WHERE refs = 0;

CREATE TABLE uploads (
	sha256     BLOB NOT NULL,
	owner      TEXT NOT NULL,
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (sha256, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_created ON uploads (created_at);

CREATE TABLE lattices (
	n           INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE CHECK (length(id) = 64),
	name        TEXT NOT NULL,
	description TEXT NOT NULL,
	electrons   INTEGER NOT NULL CHECK (electrons >= 0),
	owner       TEXT NOT NULL,
	created_by  TEXT NOT NULL,
	created_at  INTEGER NOT NULL,
	document    TEXT NOT NULL
) STRICT;
CREATE INDEX lattices_name ON lattices (name, n);

CREATE TABLE lattice_names (
	name       TEXT NOT NULL PRIMARY KEY,
	lattice    INTEGER NOT NULL REFERENCES lattices (n),
	owner      TEXT NOT NULL,
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lattice_names_lattice ON lattice_names (lattice);

CREATE TABLE lattice_assets (
	lattice INTEGER NOT NULL REFERENCES lattices (n) ON DELETE CASCADE,
	sha256  BLOB NOT NULL REFERENCES assets (sha256),
	PRIMARY KEY (lattice, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX lattice_assets_sha256 ON lattice_assets (sha256);

CREATE TABLE triggers (
	n              INTEGER PRIMARY KEY,
	id             TEXT NOT NULL UNIQUE,
	name           TEXT NOT NULL,
	kind           TEXT NOT NULL,
	revision       INTEGER NOT NULL CHECK (revision >= 1),
	state          TEXT NOT NULL CHECK (state = 'preparing' OR state = 'active' OR state = 'degraded'
		OR state = 'failing' OR state = 'paused'),
	reason         TEXT NOT NULL,
	spec           TEXT NOT NULL,
	dispatch_id    TEXT,
	lattice_id     TEXT,
	lattice_name   TEXT,
	owner          TEXT NOT NULL,
	created_by     TEXT NOT NULL,
	run_as         TEXT NOT NULL,
	created_at     INTEGER NOT NULL,
	updated_at     INTEGER NOT NULL,
	removed_at     INTEGER,
	last_event_at  INTEGER,
	last_firing_at INTEGER,
	next_at        INTEGER,
	seq            INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX triggers_name ON triggers (name) WHERE removed_at IS NULL;
CREATE INDEX triggers_name_all ON triggers (name, n);
CREATE UNIQUE INDEX triggers_seq ON triggers (seq);
CREATE INDEX triggers_dispatch ON triggers (dispatch_id) WHERE dispatch_id IS NOT NULL;
CREATE INDEX triggers_lattice ON triggers (lattice_id) WHERE lattice_id IS NOT NULL;

CREATE TABLE trigger_revisions (
	trigger      INTEGER NOT NULL REFERENCES triggers (n) ON DELETE CASCADE,
	revision     INTEGER NOT NULL,
	name         TEXT NOT NULL,
	spec         TEXT NOT NULL,
	dispatch_id  TEXT,
	lattice_id   TEXT,
	lattice_name TEXT,
	created_by   TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	PRIMARY KEY (trigger, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
	trigger    INTEGER PRIMARY KEY REFERENCES triggers (n) ON DELETE CASCADE,
	data       TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE entities (
	trigger INTEGER NOT NULL REFERENCES triggers (n) ON DELETE CASCADE,
	key     BLOB NOT NULL,
	version TEXT NOT NULL,
	data    TEXT,
	PRIMARY KEY (trigger, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE firings (
	n          INTEGER PRIMARY KEY,
	id         TEXT NOT NULL UNIQUE,
	trigger    INTEGER NOT NULL REFERENCES triggers (n) ON DELETE CASCADE,
	revision   INTEGER NOT NULL,
	decision   TEXT NOT NULL CHECK (decision = 'fired' OR decision = 'skipped' OR decision = 'rejected' OR decision = 'dead'),
	reason     TEXT NOT NULL,
	dispatches TEXT, -- JSON array of ids; they stay when the dispatches are deleted
	at         INTEGER NOT NULL,
	seq        INTEGER NOT NULL
) STRICT;
CREATE INDEX firings_trigger ON firings (trigger, n);
CREATE INDEX firings_not_fired ON firings (trigger, decision, n) WHERE decision <> 'fired';
CREATE UNIQUE INDEX firings_seq ON firings (seq);

-- n is the seq an event was stored with and never changes: FIFO follows it. An event
-- is decided by the one firing it names, and only then in a final state.
CREATE TABLE events (
	n       INTEGER PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	trigger INTEGER NOT NULL REFERENCES triggers (n) ON DELETE CASCADE,
	key     TEXT NOT NULL,
	kind    TEXT NOT NULL,
	at      INTEGER NOT NULL,
	state   TEXT NOT NULL CHECK (CASE state WHEN 'pending' THEN firing IS NULL WHEN 'held' THEN firing IS NULL
		WHEN 'fired' THEN firing IS NOT NULL WHEN 'skipped' THEN firing IS NOT NULL
		WHEN 'rejected' THEN firing IS NOT NULL WHEN 'dead' THEN firing IS NOT NULL ELSE 0 END),
	reason  TEXT NOT NULL,
	firing  INTEGER REFERENCES firings (n),
	path    BLOB, -- of the payload, for explain
	payload TEXT,
	dedupe  TEXT, -- of fired ones, when the trigger has a dedupe_key
	seq     INTEGER NOT NULL,
	UNIQUE (trigger, key)
) STRICT;
CREATE INDEX events_trigger ON events (trigger, n);
CREATE INDEX events_undecided ON events (trigger, n) WHERE firing IS NULL;
CREATE INDEX events_not_fired ON events (trigger, state, n) WHERE firing IS NOT NULL AND state <> 'fired';
CREATE INDEX events_firing ON events (firing) WHERE firing IS NOT NULL;
CREATE INDEX events_dedupe ON events (trigger, dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX events_path ON events (path, n) WHERE path IS NOT NULL;
CREATE UNIQUE INDEX events_seq ON events (seq);

CREATE TABLE dispatches (
	number              INTEGER PRIMARY KEY AUTOINCREMENT,
	id                  TEXT NOT NULL,
	seq                 INTEGER NOT NULL,
	status              TEXT NOT NULL CHECK (status = 'new' OR status = 'pending' OR status = 'running'
		OR status = 'completed' OR status = 'failed' OR status = 'cancelled'),
	running             INTEGER NOT NULL DEFAULT 0,
	completed           INTEGER NOT NULL DEFAULT 0,
	failed              INTEGER NOT NULL DEFAULT 0,
	cancelled           INTEGER NOT NULL DEFAULT 0,
	skipped             INTEGER NOT NULL DEFAULT 0,
	total               INTEGER NOT NULL,
	reason              TEXT,
	waiting             TEXT,
	cancel_requested_at INTEGER,
	lattice             INTEGER NOT NULL REFERENCES lattices (n),
	lattice_name        TEXT NOT NULL,
	owner               TEXT NOT NULL,
	created_by          TEXT NOT NULL,
	run_as              TEXT NOT NULL,
	parent_id           TEXT,
	root                INTEGER REFERENCES dispatches (number) ON DELETE CASCADE, -- NULL: itself
	trigger             INTEGER REFERENCES triggers (n),
	firing_id           TEXT,
	labels              TEXT,
	note                TEXT,
	keep                INTEGER NOT NULL DEFAULT 0,
	created_at          INTEGER NOT NULL,
	started_at          INTEGER,
	ended_at            INTEGER,
	error               TEXT,
	result              TEXT,
	inputs              TEXT NOT NULL,
	CHECK (running >= 0 AND running + completed + failed + cancelled + skipped <= total)
) STRICT;
CREATE UNIQUE INDEX dispatches_id ON dispatches (id);
CREATE UNIQUE INDEX dispatches_seq ON dispatches (seq);
CREATE INDEX dispatches_created ON dispatches (created_at);
CREATE INDEX dispatches_status ON dispatches (status, created_at);
CREATE INDEX dispatches_lattice ON dispatches (lattice, created_at);
CREATE INDEX dispatches_lattice_name ON dispatches (lattice_name, created_at);
CREATE INDEX dispatches_owner ON dispatches (owner, created_at);
CREATE INDEX dispatches_trigger ON dispatches (trigger, created_at) WHERE trigger IS NOT NULL;
CREATE INDEX dispatches_parent ON dispatches (parent_id, created_at) WHERE parent_id IS NOT NULL;
CREATE INDEX dispatches_root ON dispatches (root, created_at) WHERE root IS NOT NULL;
CREATE INDEX dispatches_text ON dispatches (created_at) WHERE note IS NOT NULL OR labels IS NOT NULL;
CREATE INDEX dispatches_pending ON dispatches (number) WHERE status = 'pending';
CREATE INDEX dispatches_running ON dispatches (number) WHERE status = 'running';
CREATE INDEX dispatches_in_flight ON dispatches (trigger)
	WHERE trigger IS NOT NULL AND (status = 'new' OR status = 'pending' OR status = 'running');

CREATE TABLE dispatch_labels (
	dispatch   INTEGER NOT NULL REFERENCES dispatches (number) ON DELETE CASCADE,
	key        TEXT NOT NULL,
	value      TEXT NOT NULL,
	created_at INTEGER NOT NULL, -- of the dispatch
	PRIMARY KEY (dispatch, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX dispatch_labels_value ON dispatch_labels (key, value, created_at, dispatch);

-- A row exists once an electron left its initial state, or waits for a reason.
CREATE TABLE electrons (
	dispatch    INTEGER NOT NULL REFERENCES dispatches (number) ON DELETE CASCADE,
	idx         INTEGER NOT NULL,
	name        TEXT NOT NULL,
	status      TEXT NOT NULL CHECK (status = 'pending' OR status = 'running' OR status = 'completed'
		OR status = 'failed' OR status = 'cancelled' OR status = 'skipped'),
	reason      TEXT,
	waiting     TEXT,
	executor    TEXT,
	result      BLOB,
	result_size INTEGER,
	pickle      BLOB,
	pickle_size INTEGER,
	error       TEXT,
	files       TEXT,
	reused_from TEXT,
	started_at  INTEGER,
	ended_at    INTEGER,
	PRIMARY KEY (dispatch, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
	dispatch    INTEGER NOT NULL,
	electron    INTEGER NOT NULL,
	n           INTEGER NOT NULL CHECK (n >= 1),
	id          TEXT NOT NULL,
	status      TEXT NOT NULL CHECK (status = 'running' OR status = 'completed' OR status = 'failed'
		OR status = 'cancelled' OR status = 'lost' OR status = 'unknown'),
	exit_code   INTEGER,
	signal      TEXT,
	handle      TEXT,
	error       TEXT,
	usage       TEXT,
	work_dir    TEXT,
	notes       TEXT,
	stdout      BLOB,
	stdout_size INTEGER,
	stderr      BLOB,
	stderr_size INTEGER,
	started_at  INTEGER NOT NULL,
	ended_at    INTEGER,
	PRIMARY KEY (dispatch, electron, n),
	FOREIGN KEY (dispatch, electron) REFERENCES electrons (dispatch, idx) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
	principal  TEXT NOT NULL,
	route      TEXT NOT NULL,
	key        TEXT NOT NULL,
	body_hash  BLOB NOT NULL,
	status     INTEGER NOT NULL,
	header     TEXT,
	body       BLOB,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE tokens (
	id           TEXT NOT NULL PRIMARY KEY,
	name         TEXT NOT NULL,
	role         TEXT NOT NULL,
	trigger      INTEGER REFERENCES triggers (n) ON DELETE CASCADE,
	hash         BLOB NOT NULL UNIQUE,
	owner        TEXT NOT NULL,
	created_by   TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER,
	last_used_at INTEGER,
	revoked_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_owner ON tokens (owner, created_at);
CREATE INDEX tokens_trigger ON tokens (trigger) WHERE trigger IS NOT NULL;

-- What was deleted, so that a reader of changes learns it.
CREATE TABLE tombstones (
	seq  INTEGER PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind = 'dispatch' OR kind = 'trigger' OR kind = 'event' OR kind = 'firing'),
	id   TEXT NOT NULL,
	at   INTEGER NOT NULL
) STRICT;
