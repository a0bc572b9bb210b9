-- Tasks that wait, runs that tasks start, datasets, results that are taken over, and files that a DAG takes in.

ALTER TABLE run ADD COLUMN parent TEXT NOT NULL DEFAULT 'null';
ALTER TABLE task_instance ADD COLUMN waiting TEXT NOT NULL DEFAULT 'null';
ALTER TABLE task_instance ADD COLUMN cached TEXT NOT NULL DEFAULT '';
ALTER TABLE dag ADD COLUMN seen TEXT NOT NULL DEFAULT '{}';
ALTER TABLE dag_version ADD COLUMN files TEXT NOT NULL DEFAULT '{}';

CREATE TABLE dataset (
  uri        TEXT NOT NULL PRIMARY KEY,
  updates    INTEGER NOT NULL CHECK (updates > 0),
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL
) STRICT;

-- An entry goes with the attempt that did the work.
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

CREATE INDEX cache_by_task ON cache (dag, task, map_index, at);
CREATE INDEX cache_by_attempt ON cache (run, task, map_index, number);
