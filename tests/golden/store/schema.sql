CREATE TABLE attempt (
  run        TEXT NOT NULL,
  task       TEXT NOT NULL,
  map_index  INTEGER NOT NULL,
  number     INTEGER NOT NULL CHECK (number > 0),
  generation INTEGER NOT NULL,
  state      TEXT NOT NULL,
  executor   TEXT NOT NULL,
  identity   TEXT NOT NULL,
  rendered   TEXT NOT NULL,
  intent_at  INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  deadline   INTEGER,
  stop_at    INTEGER,
  exit_code  INTEGER,
  failure    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  stop_cause TEXT NOT NULL,
  PRIMARY KEY (run, task, map_index, number),
  FOREIGN KEY (run, task, map_index) REFERENCES task_instance (run, task, map_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  seq     INTEGER NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL,
  token   TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  outcome TEXT NOT NULL,
  hash    TEXT NOT NULL
) STRICT;

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

CREATE TABLE blob (
  space TEXT NOT NULL,
  name  TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cache (
  key       TEXT NOT NULL PRIMARY KEY,
  dag       TEXT NOT NULL,
  run       TEXT NOT NULL,
  task      TEXT NOT NULL,
  map_index INTEGER NOT NULL,
  number    INTEGER NOT NULL,
  parts     TEXT NOT NULL,
  outputs   TEXT NOT NULL,
  at        INTEGER NOT NULL,
  FOREIGN KEY (run, task, map_index, number) REFERENCES attempt (run, task, map_index, number) ON DELETE CASCADE
) STRICT;

CREATE TABLE dag (
  id      TEXT NOT NULL PRIMARY KEY,
  version TEXT NOT NULL,
  paused  INTEGER NOT NULL CHECK (paused IN (0, 1)),
  present INTEGER NOT NULL CHECK (present IN (0, 1)),
  cursors TEXT NOT NULL,
  error   TEXT NOT NULL,
  file    TEXT NOT NULL
, seen TEXT NOT NULL DEFAULT '{}') STRICT;

CREATE TABLE dag_version (
  id         TEXT NOT NULL PRIMARY KEY,
  dag        TEXT NOT NULL,
  file       TEXT NOT NULL,
  text       TEXT NOT NULL,
  first_seen INTEGER NOT NULL
, files TEXT NOT NULL DEFAULT '{}') STRICT;

CREATE TABLE dataset (
  uri        TEXT NOT NULL PRIMARY KEY,
  updates    INTEGER NOT NULL CHECK (updates > 0),
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL
) STRICT;

CREATE TABLE event (
  run  TEXT NOT NULL REFERENCES run (id),
  seq  INTEGER NOT NULL CHECK (seq > 0),
  at   INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
  id     TEXT NOT NULL PRIMARY KEY,
  target TEXT NOT NULL,
  kind   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  data   TEXT NOT NULL
) STRICT;

CREATE TABLE pool (
  name        TEXT NOT NULL PRIMARY KEY,
  slots       INTEGER NOT NULL CHECK (slots >= 0),
  description TEXT NOT NULL
) STRICT;

CREATE TABLE pruning (
  run TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id              TEXT NOT NULL PRIMARY KEY,
  dag             TEXT NOT NULL,
  version         TEXT NOT NULL,
  trigger_kind    TEXT NOT NULL,
  schedule        TEXT NOT NULL,
  logical_date    INTEGER NOT NULL,
  interval_start  INTEGER NOT NULL,
  interval_end    INTEGER NOT NULL,
  params          TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  idempotency_key TEXT NOT NULL,
  state           TEXT NOT NULL,
  started_at      INTEGER,
  ended_at        INTEGER,
  failures        TEXT NOT NULL,
  cancel_cause    TEXT NOT NULL,
  last_seq        INTEGER NOT NULL
, previous TEXT NOT NULL DEFAULT '', cancel_now INTEGER NOT NULL DEFAULT 0 CHECK (cancel_now IN (0, 1)), late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)), resumed_from TEXT NOT NULL DEFAULT '', backfill TEXT NOT NULL DEFAULT '', marked TEXT NOT NULL DEFAULT '', mark_reason TEXT NOT NULL DEFAULT '', parent TEXT NOT NULL DEFAULT 'null') STRICT;

CREATE TABLE service (
  name         TEXT NOT NULL PRIMARY KEY,
  dag          TEXT NOT NULL,
  revision     TEXT NOT NULL,
  url          TEXT NOT NULL,
  logical_date INTEGER NOT NULL,
  deployed_at  INTEGER NOT NULL
, rollback_to TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE share (
  pool         TEXT NOT NULL,
  dag          TEXT NOT NULL,
  virtual_time INTEGER NOT NULL,
  as_of        INTEGER NOT NULL,
  PRIMARY KEY (pool, dag)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_instance (
  run          TEXT NOT NULL REFERENCES run (id),
  task         TEXT NOT NULL,
  map_index    INTEGER NOT NULL CHECK (map_index >= -1),
  state        TEXT NOT NULL,
  generation   INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  retries_used INTEGER NOT NULL,
  infra_used   INTEGER NOT NULL,
  failure      TEXT NOT NULL,
  reason       TEXT NOT NULL,
  exit_code    INTEGER,
  outputs      TEXT NOT NULL,
  scheduled_at INTEGER,
  queued_at    INTEGER,
  started_at   INTEGER,
  ended_at     INTEGER,
  retry_at     INTEGER,
  launch_since INTEGER, item TEXT NOT NULL DEFAULT 'null', clearing INTEGER NOT NULL DEFAULT 0 CHECK (clearing IN (0, 1)), marked INTEGER NOT NULL DEFAULT 0 CHECK (marked IN (0, 1)), waiting TEXT NOT NULL DEFAULT 'null', cached TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run, task, map_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE var (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE INDEX backfill_open ON backfill (id) WHERE ended_at IS NULL;

CREATE INDEX cache_by_attempt ON cache (run, task, map_index, number);

CREATE INDEX cache_by_task ON cache (dag, task, map_index, at);

CREATE INDEX dag_version_by_dag ON dag_version (dag, first_seen);

CREATE INDEX run_by_backfill ON run (backfill, state) WHERE backfill <> '';

CREATE INDEX run_by_dag ON run (dag, id);

CREATE INDEX run_by_dag_and_state ON run (dag, state, id);

CREATE INDEX run_by_state ON run (state, id);

CREATE INDEX run_by_version ON run (version);

CREATE UNIQUE INDEX run_idempotency ON run (dag, idempotency_key) WHERE idempotency_key <> '';

CREATE UNIQUE INDEX run_tick ON run (dag, schedule, logical_date) WHERE trigger_kind IN ('schedule', 'backfill');

