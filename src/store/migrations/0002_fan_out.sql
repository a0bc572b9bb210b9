-- Fan-out, the run before of a schedule, and cancels that do not wait for teardowns.

ALTER TABLE task_instance ADD COLUMN item TEXT NOT NULL DEFAULT 'null';
ALTER TABLE run ADD COLUMN previous TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN cancel_now INTEGER NOT NULL DEFAULT 0 CHECK (cancel_now IN (0, 1));
