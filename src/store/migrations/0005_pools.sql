-- Named slots, and what each DAG used of them: slot-microseconds divided by its weight, up to an instant.

CREATE TABLE pool (
  name        TEXT NOT NULL PRIMARY KEY,
  slots       INTEGER NOT NULL CHECK (slots >= 0),
  description TEXT NOT NULL
) STRICT;

CREATE TABLE share (
  pool         TEXT NOT NULL,
  dag          TEXT NOT NULL,
  virtual_time INTEGER NOT NULL,
  as_of        INTEGER NOT NULL,
  PRIMARY KEY (pool, dag)
) STRICT, WITHOUT ROWID;
