-- Runs that are being removed: out of sight since they are named here, their files and rows go in slices.

CREATE TABLE pruning (
  run TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE INDEX run_by_version ON run (version);
