-- Who asked for what. Rows are only ever added; `hash` chains each to the one before.

CREATE TABLE audit (
  seq     INTEGER NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL,
  token   TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  outcome TEXT NOT NULL,
  hash    TEXT NOT NULL
) STRICT;
