-- The run whose revision was asked to go live again although a later one is; empty where none was.

ALTER TABLE service ADD COLUMN rollback_to TEXT NOT NULL DEFAULT '';
