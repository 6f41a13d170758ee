-- How many dispatches of its own trigger led to an event, one after the other.
ALTER TABLE events ADD COLUMN generation INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0);
