/** Help of what reads and fills the mirror of explanations. */
import { everywhere, exits } from './endings.ts'

export const explanationsHelp = {
  import: `splice import PATH... [--embeddings] [--db FILE] [--json]

Reads explanation files into the mirror: Neuronpedia's JSON exports and its *.jsonl or *.jsonl.gz batches of
explanations and features, files or folders of them. What is there already is skipped, so importing a file twice
changes nothing.

  --embeddings              keeps the embeddings of explanations too, for splice similar: about 1.4 kB each
  --json                    prints {"imported","skipped","rejected","seconds"}, with --embeddings also "embeddings"
${everywhere}

${exits}
`,
  sync: `splice sync MODEL/SOURCE... [--dry-run] [OPTIONS]
splice sync --model M [--release R] [--dry-run] [OPTIONS]
splice sync --all [--dry-run] [OPTIONS]

Fetches explanations from Neuronpedia's bulk bucket and imports them as they come. Files that are in the mirror as the
bucket has them now are not fetched again; after a break or Ctrl-C the same command goes on where it stopped.

  MODEL/SOURCE              sources by Neuronpedia's names, e.g. gemma-2-2b/20-gemmascope-res-16k
  --model M                 all sources of a model
  --release R               of that model, only sources of this name in whichever layer, e.g. gemmascope-res-16k
  --all                     everything that the bucket has
  --features                statistics of features too
  --activations             their top activating examples too
  --embeddings              keeps the embeddings of explanations too, for splice similar: about 1.4 kB each
  --keep DIR                keeps the fetched files below this folder; without it each is removed once it is imported
  --dry-run                 only says what it would take: bytes, room on the disk, time
  --endpoint URL            an address that serves a copy of the bucket as S3 does
  --json                    prints {files, filesFailed, totalBytes, fetchedBytes, imported, skipped, rejected, embeddings,
                            seconds}; with --dry-run {sources, files, knownFiles, downloadBytes, mirrorBytes, diskBytes,
                            freeBytes, bytesPerSecond, seconds}

Files that cannot be had are told and passed over; the exit code is 1 then.

${everywhere}

HTTPS_PROXY counts as it does elsewhere.

${exits}
`,
  search: `splice search QUERY [--mode substring|words] [--model M] [--release R] [--source S] [--layers A:B]
              [--explainer E] [--type T] [--has-statistics|--no-statistics] [--density A:B]
              [--limit 50] [--after KEY] [--facets] [--db FILE] [--json]

Searches the explanations of the mirror. Nothing leaves this machine.

  --mode WHICH              substring: any part of the text, case ignored (the default); words: ranked, with "phrases",
                            begin*, AND, OR, NOT and brackets. A mistake in a query of words is pointed at on stderr;
                            the hits are those of the rest
  --model M                 only features of this model, e.g. gemma-2-2b
  --release R               only sources of this name in whichever layer, e.g. gemmascope-res-16k
  --source S                only this source, e.g. gemma-2-2b/20-gemmascope-res-16k
  --layers A:B              only these layers, both ends included; A: and :B are open, A alone is one layer
  --explainer E             only explanations by this explainer model
  --type T                  only explanations of this kind, e.g. oai_token-act-pair
  --has-statistics          only features that the mirror has statistics of
  --no-statistics           only those that it has none of
  --density A:B             only features that fire on such a share of tokens, e.g. :0.001
  --limit N                 hits shown, 1 to 1000 (50)
  --after KEY               the hits that follow: KEY is nextKey of the page before, of the same search
  --facets                  also counts the hits by model, source and explainer
  --json                    prints {total, totalIsExact, nextKey, milliseconds, hits}, with --facets also
                            facets: {model, source, explainer}

Hits are counted for up to 10 s (60 s with --facets), longer than the workbench does; where that is too short, the total
is said to be a lower bound.

${everywhere}

${exits}
`,
  sources: `splice sources [--db FILE] [--json]
splice sources MODEL/SOURCE [--width N] [--db FILE] [--json]

Lists the sources in the mirror, with how many explanations, features, statistics and embeddings each has, and about how
much of the file it takes; or shows one source in numbers: explanations by explainer and type, distinct features, features
without explanation, texts that return.

  --width N                 features of the source's SAE, where neither an SAE on this disk nor statistics tell
  --json                    prints {sources: [{source, model, layer, layerNumber, release, explanations, features,
                            statistics, embeddings, explainers, bytes}]}, or one of them with its numbers
${everywhere}

${exits}
`,
  feature: `splice feature MODEL/SOURCE/INDEX [--db FILE] [--json]

Shows all that the mirror knows of one feature: its explanations, statistics and examples.

  --json                    prints {source, index, explanations, statistics, examples, ...}
${everywhere}

${exits}
`,
  similar: `splice similar MODEL/SOURCE/INDEX [--explanation ID] [--within MODEL[/SOURCE]] [--limit 50] [--db FILE] [--json]

Finds the explanations most like those of a feature, by the cosine of their embeddings; every embedding of the mirror is
compared. It needs embeddings: splice import --embeddings and splice sync --embeddings keep them.

  --explanation ID          like this explanation of the feature alone
  --within MODEL[/SOURCE]   only explanations of this model or source
  --limit N                 hits shown, 1 to 1000 (50)
  --json                    prints {of, hits: [{model, layer, index, description, explainer, similarity, ...}], compared,
                            milliseconds}
${everywhere}

${exits}
`,
  mirror: `splice mirror state [--db FILE] [--json]
splice mirror check [--db FILE] [--json]
splice mirror backup FILE [--db FILE] [--json]
splice mirror remove MODEL/SOURCE... [--embeddings] [--db FILE] [--json]
splice mirror compact [--db FILE] [--json]

Looks after the mirror's file. Whatever moment it is ended at, the mirror stays whole.

  state                     the file, its size, what is in it
  check                     whether it is whole: its pages, its tables, and that the index knows every explanation;
                            exit code 1 where it is not
  backup FILE               copies it to a file that is not there yet; whole, or not at all
  remove MODEL/SOURCE...    takes sources out with all they have, or with --embeddings their embeddings alone. They are
                            found no more from the first moment on; what an interruption leaves, the next work takes out
  compact                   merges the index and gives free room back to the disk; needs about twice the size in free room
  --json                    prints one JSON object
${everywhere}

${exits}
`
}
