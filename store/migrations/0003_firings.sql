-- One index lists the firings of a trigger by what they decided; all of them are four
-- walks along it. How many have fired lately is read past whatever was skipped.
CREATE INDEX firings_decision ON firings (trigger, decision, n);
DROP INDEX firings_trigger;
DROP INDEX firings_not_fired;
