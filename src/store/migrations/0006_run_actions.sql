-- What a clear, a mark, a resume and a backfill leave behind on a run.

ALTER TABLE run ADD COLUMN resumed_from TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN backfill TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN marked TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN mark_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE task_instance ADD COLUMN clearing INTEGER NOT NULL DEFAULT 0 CHECK (clearing IN (0, 1));
ALTER TABLE task_instance ADD COLUMN marked INTEGER NOT NULL DEFAULT 0 CHECK (marked IN (0, 1));

-- A backfill claims ticks like their schedule does.
DROP INDEX run_tick;
CREATE UNIQUE INDEX run_tick ON run (dag, schedule, logical_date) WHERE trigger_kind IN ('schedule', 'backfill');
CREATE INDEX run_by_backfill ON run (backfill, state) WHERE backfill <> '';
CREATE INDEX dag_version_by_dag ON dag_version (dag, first_seen);
