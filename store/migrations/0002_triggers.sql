-- How many dispatches of its own trigger led to an event, one after the other.
ALTER TABLE events ADD COLUMN generation INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0);

-- A firing never changes: its seq is its n, which finds it as well.
DROP INDEX firings_seq;

-- What runs is a window's worth, found by dispatches_status and sorted.
DROP INDEX dispatches_running;
