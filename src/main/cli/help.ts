/** The help texts: one for the program, one for each command. */

const everywhere = `  --db FILE                 the mirror of explanations to use; without it, the one in SPLICE_HOME or
                            the platform's data folder
  --help                    this text`

const exits = `Exit codes: 0 done; 1 internal or engine failure; 2 a mistake in the arguments or files;
3 finished with rejected rows; 130 stopped by Ctrl-C.`

/** The commands, in the order in which help lists them. */
export const commands = ['run', 'hooks', 'inspect', 'import', 'search', 'library', 'releases', 'download', 'serve'] as const
export type Command = (typeof commands)[number]

/** `splice --help`. */
export const programHelp = `splice: look inside language models with sparse autoencoders (SAEs)

  splice run --model DIR [--sae PATH]... --prompt TEXT    what a model predicts, as it is and with SAEs spliced in
  splice hooks --model DIR [--sae PATH]...                the hook points of a model and its SAEs, without running it
  splice inspect PATH                                     what a model, an SAE or a weights file is, checked
  splice import PATH...                                   read explanations of features into the mirror
  splice search QUERY                                     search the explanations
  splice library                                          the models and SAEs on this disk
  splice releases [--model M]                             what is published, and what of it is on this disk
  splice download REPO | --release R --sae-id ID          an SAE, a model or files from the Hugging Face hub
  splice serve                                            the workbench in a browser, on this machine's loopback

  splice COMMAND --help                                   the options of a command
  splice --version

${exits}
`

/** `splice COMMAND --help`. */
export const commandHelp: Record<Command, string> = {
  run: `splice run --model DIR [--sae [NAME=]PATH[@HOOK]]... (--prompt TEXT | --ids 2,106,108) [--no-bos]
           [--sae-norm-factor NAME=F]...
           [--variants clean,spliced,spliced+error] [--variant NAME=sae1,sae2+error]...
           [--splice-positions all|no-special|A:B,...] [--processing auto|none|all|LIST]
           [--layer-order checkpoint|transformer-lens] [--hooks all|none|NAME,...]
           [--top-k 10] [--top-features 5] [--provider auto|cpu|webgpu|cuda|directml|coreml]
           [--save FILE.safetensors] [--json]

Runs one prompt under several variants and compares them.

  --model DIR               a Hugging Face folder: config.json, tokenizer.json, safetensors
  --sae [NAME=]PATH[@HOOK]  an SAE's folder or file, as often as needed; without NAME they are sae1, sae2, ...
                            HOOK is the hook point, where nothing says it or another is meant; for a transcoder
                            HOOK_IN:HOOK_OUT
  --sae-norm-factor NAME=F  the factor that an SAE's input was scaled with in training (expected_average_only_in),
                            where its files or its release do not say it or another is meant
  --prompt TEXT             tokenized as TransformerLens would; BOS first where the model has one
  --ids 2,106,108           token ids, used as they are
  --no-bos                  puts no BOS before the text
  --variants LIST           some of clean, spliced (all SAEs), spliced+error (with the error term). Without it:
                            all three with an SAE, clean without one, clean alone where --variant is given
  --variant NAME=LIST       a variant of your own: SAEs by name, +error adds an SAE's error term
  --splice-positions WHICH  all, no-special (leaves BOS and the like alone), or half-open ranges from zero
  --processing WHICH        TransformerLens's weight processing: none, all, auto, or a list of fold_ln,
                            center_writing_weights, center_unembed, fold_value_biases. auto is all without an
                            SAE, and with one what its config, or else its release, asks for
  --layer-order WHICH       Gemma-2 only: the checkpoint's order of local and global layers, or TransformerLens's
  --top-k N                 predictions listed at each position (10)
  --top-features N          features listed at each position (5)
  --provider NAME           where it computes (auto)
  --save FILE.safetensors   writes <variant>/<hook name> and <variant>/logits as float32
  --hooks WHICH             which hooks --save writes: all (the default), none (logits alone), or names
  --json                    prints one JSON object
${everywhere}

${exits}
`,
  hooks: `splice hooks --model DIR [--sae [NAME=]PATH[@HOOK]]... [--db FILE] [--json]

Lists the hook points that a run can cache, by TransformerLens's names, with their shapes: the batch dimension of 1 comes
first; pos, query and key follow the prompt. Only headers are read, and nothing is run. With SAEs their own hook points are
there, marked with the SAE's name, and the hook point that a splice replaces is marked too. With an SAE every block also has
mlp.hook_in, as in HookedSAETransformer.

  --model DIR               a Hugging Face folder: config.json, safetensors
  --sae [NAME=]PATH[@HOOK]  an SAE's folder or file, as often as needed; without NAME they are sae1, sae2, ...
                            HOOK is the hook point, where the path does not say it or another is meant
  --json                    prints {model, saes, points: [{name, shape, sae, replacedBy, errorTermOnly}]}
${everywhere}

${exits}
`,
  inspect: `splice inspect PATH [--json]

Says what a path holds, a model folder, an SAE (its folder or weights file) or a file of weights (safetensors, npz, pt),
with its config and its tensors. Only headers are read; what is broken, or does not fit together, is refused.

  --json                    prints one JSON object
  --help                    this text

${exits}
`,
  import: `splice import PATH... [--db FILE] [--json]

Reads explanation files into the mirror: Neuronpedia's JSON exports and its *.jsonl or *.jsonl.gz batches of
explanations and features, files or folders of them. What is there already is skipped, so importing a file twice
changes nothing.

  --json                    prints {"imported","skipped","rejected","seconds"}
${everywhere}

${exits}
`,
  search: `splice search QUERY [--mode substring|words] [--model M] [--source S] [--explainer E] [--limit 50]
              [--db FILE] [--json]

Searches the explanations of the mirror. Nothing leaves this machine.

  --mode WHICH              substring: any part of the text, case ignored (the default); words: ranked
  --model M                 only features of this model, e.g. gemma-2-2b
  --source S                only this source, e.g. gemma-2-2b/20-gemmascope-res-16k
  --explainer E             only explanations by this explainer model
  --limit N                 hits shown, 1 to 1000 (50)
  --json                    prints {total, totalIsExact, nextKey, milliseconds, hits}
${everywhere}

${exits}
`,
  library: `splice library [--db FILE] [--json]

Looks through the library's folders and lists the models and SAEs on this disk: the demo, the Hugging Face cache
(HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME), and the folders chosen in the workbench. Headers alone are read, and only of
what changed since the last time. What cannot be read is listed with its reason.

  --json                    prints {models, saes, unreadable, scannedAt, folders, limits, lookedIn}
${everywhere}

${exits}
`,
  releases: `splice releases [--model M] [--update PATH|online] [--reset] [--db FILE] [--json]

Lists the releases of SAEs that SAELens knows, with Neuronpedia's sources, what is on this disk, and what has
explanations in the mirror. Nothing leaves this machine without --update online.

  --model M                 only releases of this model: gemma-2-2b, or its repository google/gemma-2-2b
  --update WHERE            reads a newer table first: a pretrained_saes.yaml, a folder in which sae_lens is
                            installed (an environment, its site-packages), or online, from SAELens's repository.
                            It is kept in the home
  --reset                   goes back to the table that came with Splice
  --json                    prints {asOf, origin, readAt, skipped, releases: [{release, repo, model, format, ...,
                            saes: [{id, path, site, layer, width, averageL0, source, onDisk, diskPath, ...}]}]}
${everywhere}

${exits}
`,
  download: `splice download REPO[@REVISION] [PATTERN]... [--db FILE] [--json]
splice download --release R --sae-id ID [--db FILE] [--json]

Downloads from the Hugging Face hub into the cache that Python's huggingface_hub uses, and prints the path to open.
What is there is not fetched again; after a break or Ctrl-C the same command goes on where it stopped. Contents are
compared with the hub's hashes.

  REPO[@REVISION]           owner/name; a branch, tag or commit after @ (main)
  PATTERN                   files of it: paths of files or folders, or patterns as in Python's fnmatch ('*' means
                            all); without any, a model's config, tokenizer and safetensors
  --release R --sae-id ID   an SAE by its names in SAELens; splice releases lists them
  --json                    prints {repo, revision, commit, path, files, totalBytes, fetchedBytes, seconds}
${everywhere}

HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN (for gated repositories), HF_HUB_OFFLINE and HTTPS_PROXY count as they
do in Python.

${exits}
`,
  serve: `splice serve [--port N] [--no-open] [--db FILE]

Serves the workbench to a browser on this machine, prints one line with its URL, and stays until Ctrl-C. It listens on
loopback only; the URL carries a token that is good until it ends. From another machine, tunnel the port with SSH.

  --port N                  the port to listen on (any free one)
  --no-open                 does not open a browser
${everywhere}

${exits}
`
}
