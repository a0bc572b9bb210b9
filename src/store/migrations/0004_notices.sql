-- The outbox: what somebody is to be told, until it was sent; and whether a run missed its deadline.

CREATE TABLE notice (
  id     TEXT NOT NULL PRIMARY KEY,
  target TEXT NOT NULL,
  kind   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  data   TEXT NOT NULL
) STRICT;

ALTER TABLE run ADD COLUMN late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1));
