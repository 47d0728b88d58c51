/** The history's schema, as numbered migrations; never change one that was released. */
import type { Database } from 'better-sqlite3'

/** Marks a SQLite file as a history of ours ("SPLR"). */
export const applicationId = 0x53504c52

/**
 * `runs` is what lists need, `run_contents` the whole of each run: `format` says how it is written (stored-run.ts). `search` holds
 * what a search looks through, in upper case. A run that was removed has `deleted_at` until it is purged.
 */
const first = (database: Database): unknown =>
  database.exec(`
  CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    pinned INTEGER NOT NULL DEFAULT 0,
    name TEXT,
    notes TEXT NOT NULL DEFAULT '',
    prompt TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    model_name TEXT NOT NULL,
    model_path TEXT NOT NULL,
    saes TEXT NOT NULL,
    variants TEXT NOT NULL,
    search TEXT NOT NULL,
    version TEXT NOT NULL,
    format INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  );
  CREATE INDEX runs_shown ON runs (pinned, created_at, id) WHERE deleted_at IS NULL;
  CREATE INDEX runs_deleted ON runs (deleted_at) WHERE deleted_at IS NOT NULL;
  CREATE TABLE run_contents (run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, contents BLOB NOT NULL);
  CREATE TABLE run_tags (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (run, tag)) WITHOUT ROWID;
  CREATE INDEX run_tags_tag ON run_tags (tag);
  CREATE TABLE run_saes (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, sae TEXT NOT NULL, PRIMARY KEY (run, sae)) WITHOUT ROWID;
  CREATE INDEX run_saes_sae ON run_saes (sae);
  `)

/** Findings of one kind, each with the run that it is about; `format` says how its contents are written (stored-finding.ts). */
const findings =
  (table: 'run_attributions' | 'run_patchings') =>
  (database: Database): unknown =>
    database.exec(`
  CREATE TABLE ${table} (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    format INTEGER NOT NULL,
    contents BLOB NOT NULL
  );
  CREATE INDEX ${table}_run ON ${table} (run, number);
  `)

export const migrations: readonly ((database: Database) => void)[] = [first, findings('run_attributions'), findings('run_patchings')]
