-- When a dispatch reached its end, by the one sequence of the store: what follows from
-- ends is read in this order, and what was changed after its end isn't new.
ALTER TABLE dispatches ADD COLUMN ended_seq INTEGER;
CREATE INDEX dispatches_ended ON dispatches (ended_seq) WHERE ended_seq IS NOT NULL;

-- Electrons of which nothing has changed are taken over from the parent.
ALTER TABLE dispatches ADD COLUMN reuse INTEGER NOT NULL DEFAULT 0 CHECK (reuse = 0 OR reuse = 1);
ALTER TABLE electrons ADD COLUMN fingerprint TEXT; -- JSON, of what the result depends on
ALTER TABLE electrons ADD COLUMN reuse TEXT; -- why it was reused or run
ALTER TABLE electrons ADD COLUMN stdout BLOB; -- of a reused one, which has no attempt
ALTER TABLE electrons ADD COLUMN stdout_size INTEGER;
ALTER TABLE electrons ADD COLUMN stderr BLOB;
ALTER TABLE electrons ADD COLUMN stderr_size INTEGER;

-- Electrons may be asked to end by themselves. Before the dispatch has begun the mark
-- tells that there are such: then it has rows already.
ALTER TABLE electrons ADD COLUMN cancel_requested_at INTEGER;
ALTER TABLE dispatches ADD COLUMN marked INTEGER NOT NULL DEFAULT 0 CHECK (marked = 0 OR marked = 1);

-- Dispatches that were made together share a limit: so many of them are let go at
-- first (held IS NULL), and the end of each lets the next one go.
ALTER TABLE dispatches ADD COLUMN sweep INTEGER; -- the number of the first of them
ALTER TABLE dispatches ADD COLUMN held INTEGER;  -- the sweep, while it waits for its turn
DROP INDEX dispatches_pending;
CREATE INDEX dispatches_pending ON dispatches (number) WHERE status = 'pending' AND held IS NULL;
CREATE INDEX dispatches_held ON dispatches (held, number) WHERE held IS NOT NULL;

CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

-- Who changed what; written in the transaction of the change where there is one.
CREATE TABLE audit (
	n         INTEGER PRIMARY KEY,
	at        INTEGER NOT NULL,
	principal TEXT NOT NULL,
	via       TEXT NOT NULL, -- unix, or token:NAME
	remote    TEXT NOT NULL,
	action    TEXT NOT NULL, -- the operation
	object    TEXT NOT NULL,
	status    INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_object ON audit (object, n);
CREATE INDEX audit_principal ON audit (principal, n);

-- The keys, hashed, of events whose rows had their time: what happened once doesn't
-- happen again. They stay as long as their trigger.
CREATE TABLE past_keys (
	trigger INTEGER NOT NULL REFERENCES triggers (n) ON DELETE CASCADE,
	hash    BLOB NOT NULL CHECK (length(hash) = 16),
	PRIMARY KEY (trigger, hash)
) STRICT, WITHOUT ROWID;
