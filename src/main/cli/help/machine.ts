/** Help of what is on this machine: files, kept runs, providers, the workbench. */
import { everywhere, exits } from './endings.ts'

export const machineHelp = {
  inspect: `splice inspect PATH [--json]

Says what a path holds, a model folder, an SAE (its folder or weights file) or a file of weights (safetensors, npz, pt),
with its config and its tensors. Only headers are read; what is broken, or does not fit together, is refused.

  --json                    prints one JSON object
  --help                    this text

${exits}
`,
  runs: `splice runs [WORD...] [--model M] [--sae S] [--tag T] [--pinned] [--limit 50] [--json]
splice runs show ID [--json]
splice runs export ID [--as json|tokens|top-k|features|summary|python|python-3] [--to FILE]

Every run that a window, a script or splice run made is kept, in runs.sqlite of SPLICE_HOME or the platform's data folder, with all
that is needed to show it again without its model. The list has pinned runs first (*), then the newest.

  WORD...                   runs with all of these words in prompt, name, notes, tags, model or SAEs, whatever their case
  --model M, --sae S        of a model or an SAE, by its name as --json has it
  --tag T, --pinned         with a tag; pinned ones alone
  --limit N                 how many are listed (50)
  show ID                   a run as splice run prints it; the beginning of an ID is enough
  export ID                 a file of a run: json (all of it), CSV tables (tokens, top-k, features, summary), or a Python
                            script that does it again with TransformerLens 2 (python) or 3 (python-3) and SAELens 6
  --to FILE                 where to write it; without it, stdout
  --json                    prints one JSON object
  --help                    this text

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
  doctor: `splice doctor [--json]

Says what this machine has to compute with: devices, drivers, memory, versions, whether the home can be written to. Each
execution provider is tried in a process of its own with a small graph whose numbers are checked, so that a driver that
crashes is a line of the report. Where something is missing, the report names it and the command that installs it.

  --json                    prints {version, platform, architecture, node, onnxRuntime, processor, memory, home, devices,
                            drivers, providers: [{provider, state, reason, float16, gigaflops, remedy}], ailments}
  --help                    this text

Exit codes: 0 Splice can work here, on the CPU at least; 1 it cannot, and the report says why; 2 a mistake in the arguments.
`,
  diagnostics: `splice diagnostics [--out FILE] [--db FILE]

Prints a text about this Splice: versions, providers, settings, the sizes of its own files and the errors of late. It has no
prompt, run, explanation, note or access token, and of a path only its last name. Nothing is sent: read it, and share what you like.
It is made where the mirror cannot be opened, too, and says why.

  --out FILE                writes it there, whole or not at all, and prints the file's path
${everywhere}

${exits}
`,
  serve: `splice serve [--port N] [--no-open] [--only FOLDER]... [--db FILE]

Serves the workbench to a browser on this machine, prints one line with its URL, and stays until Ctrl-C. It listens on
loopback only; the URL carries a token that is good until it ends. From another machine, tunnel the port with SSH.

  --port N                  the port to listen on (any free one)
  --no-open                 does not open a browser
  --only FOLDER             pages and scripts may name paths in this folder alone, beside Splice's own and the Hugging Face cache;
                            several times for several folders
${everywhere}

${exits}
`
}
