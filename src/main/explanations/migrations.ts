/** The mirror's schema, as numbered migrations: `user_version` says how many of them a file has had. Never change one that was released. */
import type { Database } from 'better-sqlite3'

/** Marks a SQLite file as a mirror of ours ("SPLC"). */
export const applicationId = 0x53504c43

/**
 * Explanations of one source have rowids from `source * 2^32` on, so that a source is a range. The text indexes hold no
 * text of their own: `substring_index` gives rows that have a query's trigrams, upper-cased; the stored text decides.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE sources (id INTEGER PRIMARY KEY, model TEXT NOT NULL, layer TEXT NOT NULL, UNIQUE (model, layer));
  CREATE TABLE explainers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE explanations (
    rowid INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources,
    feature INTEGER NOT NULL,
    description TEXT NOT NULL,
    explainer INTEGER REFERENCES explainers,
    type INTEGER REFERENCES types,
    author TEXT,
    external_id TEXT,
    identity BLOB NOT NULL
  );
  CREATE UNIQUE INDEX explanations_identity ON explanations (identity);
  CREATE INDEX explanations_feature ON explanations (source, feature);
  CREATE TABLE feature_statistics (
    source INTEGER NOT NULL REFERENCES sources,
    feature INTEGER NOT NULL,
    max_activation REAL,
    density REAL,
    details BLOB NOT NULL,
    PRIMARY KEY (source, feature)
  ) WITHOUT ROWID;
  CREATE TABLE feature_examples (
    source INTEGER NOT NULL REFERENCES sources,
    feature INTEGER NOT NULL,
    examples BLOB NOT NULL,
    PRIMARY KEY (source, feature)
  ) WITHOUT ROWID;
  CREATE VIRTUAL TABLE substring_index USING fts5 (text, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1');
  CREATE VIRTUAL TABLE word_index USING fts5 (text, content = '', tokenize = 'unicode61');
  `
]

export const schemaVersion = migrations.length

/** Applies what is missing, all or nothing. */
export function migrate(database: Database): void {
  database
    .transaction(() => {
      const done = Number(database.pragma('user_version', { simple: true }))
      for (const sql of migrations.slice(done)) database.exec(sql)
      database.pragma(`application_id = ${applicationId}`)
      database.pragma(`user_version = ${schemaVersion}`)
    })
    .immediate()
}
