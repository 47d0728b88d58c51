/** The mirror's schema, as numbered migrations: never change one that was released. */
import type { Database } from 'better-sqlite3'
import { partsOfLayer } from './layer-name.ts'
import { indexStoredTexts } from './search/text-index.ts'

/** Marks a SQLite file as a mirror of ours ("SPLC"). */
export const applicationId = 0x53504c43

type Migration = (database: Database) => void

/** Explanations of one source have rowids from `source * 2^32` on, so that a source is a range. */
const first: Migration = database =>
  database.exec(`
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
  `)

/**
 * One index of terms for literal and word search (index-terms.ts) with the vocabulary of runs beside it, in place of two.
 * A row's identity is its id, or its source, feature, text and explainer; the writer knows those of the source it writes to.
 * Examples come in parts, as files bring them; files that were imported are remembered with how far.
 */
const second: Migration = database => {
  database.exec(`
  DROP TABLE substring_index;
  DROP TABLE word_index;
  CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  INSERT INTO authors (name) SELECT DISTINCT author FROM explanations WHERE author IS NOT NULL;
  CREATE TABLE texts (
    rowid INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources,
    feature INTEGER NOT NULL,
    explainer INTEGER REFERENCES explainers,
    type INTEGER REFERENCES types,
    author INTEGER REFERENCES authors,
    external_id TEXT,
    description TEXT NOT NULL
  );
  INSERT INTO texts SELECT e.rowid, source, feature, explainer, type, a.id, external_id, description
    FROM explanations e LEFT JOIN authors a ON a.name = e.author;
  DROP TABLE explanations;
  ALTER TABLE texts RENAME TO explanations;
  CREATE INDEX explanations_feature ON explanations (source, feature);

  ALTER TABLE sources ADD COLUMN layer_number INTEGER;
  ALTER TABLE sources ADD COLUMN release TEXT;

  CREATE TABLE parts (
    source INTEGER NOT NULL REFERENCES sources,
    feature INTEGER NOT NULL,
    part INTEGER NOT NULL,
    examples BLOB NOT NULL,
    PRIMARY KEY (source, feature, part)
  ) WITHOUT ROWID;
  INSERT INTO parts SELECT source, feature, 0, examples FROM feature_examples;
  DROP TABLE feature_examples;
  ALTER TABLE parts RENAME TO feature_examples;

  CREATE TABLE imports (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    modified REAL NOT NULL,
    rows INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    is_whole INTEGER NOT NULL,
    at REAL NOT NULL
  );
  CREATE TABLE import_sources (import INTEGER NOT NULL REFERENCES imports, source INTEGER NOT NULL, PRIMARY KEY (import, source)) WITHOUT ROWID;

  CREATE TABLE source_summaries (
    source INTEGER PRIMARY KEY REFERENCES sources,
    explanations INTEGER NOT NULL,
    features INTEGER NOT NULL,
    statistics INTEGER NOT NULL,
    explainers TEXT NOT NULL,
    bytes INTEGER NOT NULL
  );

  CREATE TABLE runs (id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, folded TEXT);
  CREATE INDEX runs_folded ON runs (folded) WHERE folded IS NOT NULL;
  CREATE VIRTUAL TABLE run_grams USING fts5 (grams, content = '', columnsize = 0, detail = none, tokenize = "ascii tokenchars '%<>'");
  CREATE VIRTUAL TABLE text_index USING fts5 (terms, content = '', columnsize = 0, detail = none, tokenize = "ascii tokenchars '%_~=!'");
  INSERT INTO text_index (text_index, rank) VALUES ('hashsize', 67108864);
  INSERT INTO text_index (text_index, rank) VALUES ('automerge', 8);
  INSERT INTO run_grams (run_grams, rank) VALUES ('hashsize', 16777216);
  `)
  nameReleases(database)
  indexStoredTexts(database)
}

function nameReleases(database: Database): void {
  const update = database.prepare('UPDATE sources SET layer_number = ?, release = ? WHERE layer = ?')
  for (const layer of database.prepare('SELECT DISTINCT layer FROM sources').pluck().all().map(String)) {
    const { layerNumber, release } = partsOfLayer(layer)
    update.run(layerNumber, release, layer)
  }
}

/**
 * Embeddings by their explanation's row. Files are remembered by a name and a version, so that downloaded ones are known by what the
 * server calls them, and whether their embeddings were read. A source that is being removed is one no more; its number stays taken
 * until its rows are gone.
 */
const third: Migration = database => {
  database.exec(`
  CREATE TABLE embeddings (row INTEGER PRIMARY KEY, vector BLOB NOT NULL);
  CREATE TABLE removals (source INTEGER PRIMARY KEY, model TEXT NOT NULL, layer TEXT NOT NULL);
  ALTER TABLE source_summaries ADD COLUMN embeddings INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX import_sources_source ON import_sources (source);
  ALTER TABLE imports ADD COLUMN version TEXT NOT NULL DEFAULT '';
  ALTER TABLE imports ADD COLUMN with_embeddings INTEGER NOT NULL DEFAULT 0;
  `)
  const keep = database.prepare<[string, number]>('UPDATE imports SET version = ? WHERE id = ?')
  const known = database.prepare<[], { id: number; modified: number }>('SELECT id, modified FROM imports').all()
  for (const { id, modified } of known) keep.run(String(modified), id)
  database.exec('ALTER TABLE imports DROP COLUMN modified')
}

/** Sources of one's own, with what they were made of (contract's `harvestAbout`, as JSON). */
const fourth: Migration = database => database.exec('CREATE TABLE harvests (source INTEGER PRIMARY KEY, about TEXT NOT NULL)')

export const migrations: readonly Migration[] = [first, second, third, fourth]
