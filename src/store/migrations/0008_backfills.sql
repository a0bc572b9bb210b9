-- Ranges of ticks that are being run, or were.

CREATE TABLE backfill (
  id         TEXT NOT NULL PRIMARY KEY,
  dag        TEXT NOT NULL,
  schedule   TEXT NOT NULL,
  first      INTEGER NOT NULL,
  last       INTEGER NOT NULL CHECK (last >= first),
  reverse    INTEGER NOT NULL CHECK (reverse IN (0, 1)),
  max_active INTEGER NOT NULL CHECK (max_active > 0),
  reprocess  TEXT NOT NULL,
  params     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  next       INTEGER,
  ticks      INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  cleared    INTEGER NOT NULL,
  left_alone INTEGER NOT NULL,
  succeeded  INTEGER NOT NULL,
  failed     INTEGER NOT NULL,
  cancelled  INTEGER NOT NULL,
  ended_at   INTEGER
) STRICT;

CREATE INDEX backfill_open ON backfill (id) WHERE ended_at IS NULL;
