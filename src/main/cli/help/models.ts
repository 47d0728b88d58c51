/** Help of what runs a model. */
import { everywhere, exits } from './endings.ts'

export const modelsHelp = {
  run: `splice run --model DIR [--sae [NAME=]PATH[@HOOK]]... (--prompt TEXT | --ids 2,106,108) [--no-bos]
           [--sae-norm-factor NAME=F]...
           [--variants clean,spliced,spliced+error] [--variant NAME=sae1,sae2+error]...
           [--edit VARIANT:SAE:FEATURE(xN|=N|+N)[@A:B]]...
           [--splice-positions all|no-special|A:B,...] [--processing auto|none|all|LIST]
           [--layer-order checkpoint|transformer-lens] [--hooks all|none|NAME,...]
           [--top-k 10] [--top-features 5] [--provider auto|cpu|webgpu|cuda|directml|coreml]
           [--precision fp32|fp16] [--save FILE.safetensors] [--no-history] [--json]

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
  --edit EDIT               changes a feature in a variant: VARIANT:SAE:FEATURE, then xN multiplies its activation, =N
                            sets it (=0 ablates), +N steers: adds N times its row of W_dec (N may be negative: +-5.6);
                            @A:B only at these positions, @A: from there on. A variant that is not there is made: of all
                            SAEs spliced for x and =, of the model as it is for +
  --splice-positions WHICH  all, no-special (leaves BOS and the like alone), or half-open ranges from zero
  --processing WHICH        TransformerLens's weight processing: none, all, auto, or a list of fold_ln,
                            center_writing_weights, center_unembed, fold_value_biases. auto is all without an
                            SAE, and with one what its release, or else its config, asks for, as in SAELens 6
  --layer-order WHICH       Gemma-2 only: the checkpoint's order of local and global layers, or TransformerLens's
  --top-k N                 predictions listed at each position (10)
  --top-features N          features listed at each position (5)
  --provider NAME           where it computes (auto: what the settings say, else the CPU); splice doctor tries them. One that does
                            not start, or cannot run this, gives way to the CPU, and the reason is told
  --precision fp16          holds and multiplies the model's matrices in float16, on GPUs: half the memory, less exact
  --save FILE.safetensors   writes <variant>/<hook name> and <variant>/logits as float32
  --hooks WHICH             which hooks --save writes: all (the default), none (logits alone), or names
  --no-history              does not keep the run in the history
  --json                    prints one JSON object
${everywhere}

${exits}
`,
  'test-prompt': `splice test-prompt --model DIR (--prompt TEXT | --ids 2,106,108) (--answer A | --answer-ids 54,7)...
           [--no-prepend-space] [--no-bos] [--top-k 10] [--sae [NAME=]PATH[@HOOK]]... [--variants LIST]
           [--variant NAME=LIST]... [--processing WHICH] [--json] and the other options of splice run

Says how well a model knows each answer: rank (0 is best), logit and probability of its tokens, each after the prompt and
the answer's tokens before it, under every variant; and what is predicted after the prompt. As TransformerLens's test_prompt.

  --answer A                an answer, as often as needed; a space is put before it unless it starts with one
  --answer-ids 54,7         an answer's token ids, used as they are
  --no-prepend-space        puts no space before answers
  --top-k N                 predictions listed (10)
  --json                    prints {answers: [{text, tokens: [{id, text, variants: [{name, rank, logit, probability,
                            logProb, topK}]}], logProbs}], topK: [{name, tokens}], ...}
  Model, SAEs, prompt, variants, processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  generate: `splice generate --model DIR (--prompt TEXT | --ids 2,106,108) [--no-bos] [--sae [NAME=]PATH[@HOOK]]...
           [--max-new-tokens 50] [--temperature 1] [--top-k N] [--top-p X] [--frequency-penalty X] [--samples N]
           [--no-stop-at-eos] [--seed N] [--top-features 0] [--json] and the other options of splice run

Continues a prompt under several variants. A splice covers every generated token, unless --splice-positions says where.

  --max-new-tokens N        most tokens of a continuation (50)
  --temperature X           logits are divided by it; 0 takes the most probable token, whatever the next three say (1)
  --top-k N                 only the N most probable tokens
  --top-p X                 only the most probable tokens until their probabilities exceed X
  --frequency-penalty X     taken off a token's logit for each time it stands in the text so far, prompt included
  --samples N               continuations of each variant (1)
  --no-stop-at-eos          goes on behind a token that ends the text
  --seed N                  the same seed draws the same numbers, in every variant (a new one each time)
  --top-features N          lists features of the SAEs at each token, in the JSON (0)
  --json                    prints {variants: [{name, text, ending, tokens: [{id, text, logProb, rank}]}], seed, ...}: new
                            tokens only; with --samples, an entry for each with its number as sample
  Model, SAEs, prompt, variants, processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  'logit-lens': `splice logit-lens --model DIR (--prompt TEXT | --ids 2,106,108) [--no-bos] [--sae [NAME=]PATH[@HOOK]]...
           [--positions A:B] [--top-k 5] [--no-soft-cap] [--save FILE.safetensors] [--json]
           and the other options of splice run

Puts the residual stream in front of every block, and what comes out of the last one, through the final norm and the
unembedding: what would the model predict if it ended there? For every variant, edits included.

  --positions A:B           only at these positions, half-open from zero
  --top-k N                 tokens listed for each layer and position (5)
  --no-soft-cap             leaves out the final soft cap of Gemma-2, as TransformerLens's unembed does
  --save FILE.safetensors   writes whole logits, <variant>/logit_lens.logits [layers + 1, position, vocabulary], as float32
  --json                    prints {variants: [{name, final, layers: [{label, topK, klToFinal, final: {logProbs, ranks},
                            actual: {logProbs, ranks}}]}], ...}: final is the token that the variant predicts in the end,
                            actual the one that follows; labels are those of accumulated_resid, 0_pre to final_post
  Model, SAEs, prompt, variants, edits, processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  attribute: `splice attribute --model DIR --sae [NAME=]PATH[@HOOK] (--prompt TEXT | --ids 2,106,108) [--no-bos]
           --target TOKEN[-OTHER][@POS] | loss | kl[@POS] [--top 100] [--each-position] [--features 17,300]
           [--group [NAME=]17,300]... [--pairs N] [--no-error-term] [--special-tokens]
           [--splice-positions all|no-special|A:B,...] [--sae-norm-factor F] [--batch-rows N] [--processing WHICH]
           [--layer-order WHICH] [--provider NAME] [--precision fp32|fp16] [--no-history] [--json]

Splices an SAE into a prompt, ablates its most active features, each in a run of its own, and ranks them by what that does
to a quantity. Nothing is approximated: all before the splice is computed once, and all behind it for every feature. What
follows POS cannot matter and is not computed.

  --target TOKEN[@POS]      log-prob (nats) of TOKEN as predicted at POS, i.e. as what follows POS; without POS at the
                            prompt's last position. TOKEN is text that is one token as it is written (most words begin
                            with a space: " hole"), or a token id; "7" in double quotes is text, and so is what holds - or @
  --target TOKEN-OTHER[@POS]   the logit of TOKEN minus that of OTHER
  --target loss             the mean loss of the prompt's tokens (nats)
  --target kl[@POS]         KL(clean || ablated) of what is predicted at POS (nats)
  --top N                   how many of the most active features, by their largest activation; those of special tokens do
                            not count (100)
  --each-position           ablates a feature at one position each time: the N largest activations
  --features 17,300         these in place of the most active ones
  --group [NAME=]17,300     also these features together, as often as needed
  --pairs N                 also each two of the N largest effects together, with their interaction: the effect of both
                            minus the sum of both alone (0, at most 40)
  --no-error-term           splices the reconstruction alone. With the error term, the default, the base is the clean run
  --special-tokens          counts activations at BOS and the like too when the most active features are looked for
  --splice-positions WHICH  where the SAE stands in, and so where features are ablated: as in splice run
  --batch-rows N            runs at a time; changes no number beyond rounding
  --no-history              does not keep a run of the prompt, and the result with it, in the history
  --json                    prints {base, clean, effects: [{index, position, activation, effect, explanations}], groups,
                            pairs, quantity, active, ...}. base is the quantity with the SAE spliced and nothing ablated, an
                            effect the quantity with the feature ablated minus base: below zero for a log-prob that the
                            feature supports. activation is the largest one, at position
  Model, SAE, prompt, processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  patch: `splice patch --model DIR (--prompt TEXT | --ids 2,106,108) (--source TEXT | --source-ids 2,106,109) [--no-bos]
           --target TOKEN[-OTHER][@POS] | loss | kl[@POS] [--site SITE]... | --cell LAYER:POS[:HEAD] [--from POS]
           [--top-k 10] [--batch-rows N] [--processing WHICH] [--layer-order WHICH] [--provider NAME] [--precision fp32|fp16]
           [--no-history] [--json]

Copies activations of one prompt's run, the source, into that of another of as many tokens, and measures what each copy does
to a quantity: activation patching, as TransformerLens's patching.py has it, where the source is called the clean run and the
other one the corrupted run. Every cell is a row of its own; all before it is computed once.

  --prompt TEXT             the prompt that is patched; --ids as in splice run
  --source TEXT             the prompt that activations come from; --source-ids gives its token ids
  --target ...              what is measured, as in splice attribute; without POS at the last position. A loss is that of the
                            tokens of --prompt, whatever runs; kl is KL(base || patched)
  --site SITE               resid_pre, resid_mid, resid_post, attn_out, mlp_out: every layer and position (resid_pre).
                            z: every layer and head, all positions at once; z:3: every layer and position of head 3.
                            As often as needed
  --cell LAYER:POS[:HEAD]   one patch alone at the one --site, with the predictions before and after; POS all is every
                            position, HEAD is of z
  --from POS                of one cell: the source's position that its activation comes from, the same without it
  --top-k N                 of one cell: how many predictions are listed (10)
  --batch-rows N            cells at a time; changes no number beyond rounding
  --no-history              does not keep a run of the prompt, and the grids with it, in the history
  --json                    prints {base, source, sites: [{site, head, axis, effects, normalised}], quantity, tokens,
                            sourceTokens, ...}. base and source are the quantity of both runs, an effect the quantity with
                            the cell patched minus base, [layer][position or head]; normalised divides by source minus base:
                            0 is the base, 1 the source; null where they are equal. Cells before the first token that differs
                            and behind POS cannot matter: 0. Of one cell {base, source, patched, effect, normalised,
                            predictions: {base, patched, source}, ...}
  Model, prompt, processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  eval: `splice eval --model DIR --sae [NAME=]PATH[@HOOK] (--text FILE | --ids-file FILE.json) [--no-bos]
            [--documents joined|apart] [--context N] [--special-tokens] [--special-ids LIST]
            [--splice-positions all|no-special|A:B,...] [--saelens-batch 16] [--batch-tokens N]
            [--processing auto|none|all|LIST] [--layer-order checkpoint|transformer-lens]
            [--sae-norm-factor NAME=F] [--provider auto|cpu|webgpu|cuda|directml|coreml] [--precision fp32|fp16]
            [--feature-density] [--resume FILE] [--json]

Says how good an SAE or transcoder is on a text: how sparse, how near its output is to the activation that it stands in
for, and what becomes of the predictions when it is spliced, or zeros are. By the textbook's definitions, and by those of
SAELens's run_evals (sae_lens 6.18), which differ.

  --model DIR               a Hugging Face folder: config.json, tokenizer.json, safetensors
  --sae [NAME=]PATH[@HOOK]  the SAE's folder or file, as in splice run
  --text FILE               UTF-8; each line is a document, or, where FILE ends in .jsonl or .ndjson, the "text" of the
                            JSON object on it
  --ids-file FILE.json      an array of arrays of token ids, each a sequence, used as they are
  --documents joined        lays documents one behind the other with BOS between them and cuts them into sequences of
                            the context's length that begin with BOS, as SAELens's ActivationsStore; the last one is
                            kept though it is shorter
              apart         begins a sequence with each document; a longer one goes on in the next
  --context N               the longest sequence in tokens. Without it: of a text what the SAE's config says it was
                            trained with, else 1024; of ids the model's context. What is longer in an ids file is cut
  --no-bos                  puts no BOS anywhere
  --special-tokens          counts special tokens (BOS and the like) in the textbook numbers too; without it, they and
                            the predictions of or at them are left out
  --special-ids LIST        the ids that are special, in place of the model's own
  --splice-positions WHICH  where the textbook's splice and zeros stand in, in each sequence: all, no-special, or
                            half-open ranges from zero
  --saelens-batch N         sequences in a batch of SAELens (its batch_size_prompts), on which its mse,
                            explained_variance_legacy and relative_reconstruction_bias depend (16)
  --batch-tokens N          tokens computed at a time (512, fewer for wide SAEs), at least one sequence; more needs more
                            memory, and changes no number
  --processing, --layer-order, --sae-norm-factor, --provider, --precision    as in splice run
  --feature-density         adds how often each feature fires (SAELens's feature_density) to the JSON
  --resume FILE             keeps what is done in FILE after each batch; the same command goes on from there
  --json                    prints {"tokens","positions","predictions","l0","l1","squaredError","mse",
                            "explainedVariance","cosineSimilarity","ceClean","ceSpliced","ceZeroAblated","ceScore",
                            "klDivergence","klZeroAblated","sequences","features",
                            "saelens":{"all_tokens":{...},"exclude_special_tokens":{...}},...}; losses in nats
${everywhere}

${exits}
`,
  harvest: `splice harvest --model DIR --sae [NAME=]PATH[@HOOK]... --text PATH... --tokens N [--shard I/N] [--name NAME]
               [--out FILE] [--anew] [--no-bos] [--documents joined|apart] [--context N] [--special-tokens]
               [--top 20] [--per-interval 5] [--before 20] [--after 11] [--memory-limit GB] [--batch-tokens N]
               [--sae-norm-factor NAME=F] [--processing auto|none|all|LIST] [--layer-order WHICH]
               [--provider NAME] [--precision fp32|fp16] [--json]
splice harvest merge FILE... [--name NAME] [--out FILE] [--no-mirror] [--memory-limit GB] [--json]

Runs text through a model and says of every feature of the SAEs how often it fires, how strongly (maximum, histogram), and
where: its strongest contexts, and some from each eighth of its activation. It goes into the mirror as a source of one's
own, MODEL/LAYER-NAME-SAE, which a feature's page, splice feature and filters by density show as they show Neuronpedia's.

What is done is kept after every batch: after Ctrl-C, a kill or a crash the same command goes on where it stopped, and ends
with the same numbers. A text, model or SAE that has changed meanwhile is refused. Memory is said before it begins and
does not grow with the tokens; where it does not fit, that is said too, with settings that do.

  --model DIR               a Hugging Face folder: config.json, tokenizer.json, safetensors
  --sae [NAME=]PATH[@HOOK]  an SAE's folder or file, as in splice run, as often as needed: all are read in one pass
  --text PATH...            files or folders (in these .txt, .md, .jsonl and .ndjson are read). UTF-8; each line is a
                            document, or the "text" of the JSON object on it (.jsonl, .ndjson); a .json file is an array of
                            arrays of token ids, used as they are
  --tokens N                how many tokens to read, BOS included; less where the text ends before
  --shard I/N               every N-th batch from the I-th on, e.g. 1/4, 2/4, 3/4 and 4/4 on four machines; merge puts the
                            files together, and what comes out is what one harvest gives
  --name NAME               what its sources are called, in place of own
  --out FILE                where it is kept, and stays. Without it in the home, and there only until the mirror has it; a
                            shard always stays
  --anew                    forgets what is kept of it, in place of going on
  --documents, --no-bos     how lines become sequences, as in splice eval
  --context N               the longest sequence; the shortest that the SAEs' configs say, or 1024; of ids the model's
  --special-tokens          counts BOS and the like too
  --top N                   strongest examples of a feature, no two with the same text (20)
  --per-interval N          examples from each of eight intervals of its activation, chosen by chance (5)
  --before N, --after N     tokens around an example's token (20, 11)
  --memory-limit GB         what is held of the features may take so much; half of what is free without it
  --batch-tokens N          tokens of one pass (2048, fewer for wide SAEs)
  --no-mirror               merges into --out FILE alone
  --json                    prints {saes: [{name, hook, features, fired, meanActive, source}], tokens, counted, sequences,
                            file, inMirror, ...}
  Processing, layer order, provider and precision: as in splice run.
${everywhere}

${exits}
`,
  'check-sae': `splice check-sae --model DIR --sae PATH[@HOOK] [--prompt TEXT | --ids 2,106,108] [--no-bos] [--sae-norm-factor F]
           [--processing auto|none|all|LIST] [--layer-order checkpoint|transformer-lens] [--provider NAME] [--precision fp32|fp16]
           [--json]

Measures an SAE's L0 and explained variance on a text and compares them with the published ones (its release, its files, its path).
Then it tries hook points of its width in its layer and the layers beside, the processings that make a difference there, its
norm factor on and off, and BOS and special tokens otherwise, and says which has the published numbers. A figure is off when
it is more than two times the published one; explained variances are compared by what they leave unexplained.

  --model DIR               a Hugging Face folder: config.json, tokenizer.json, safetensors
  --sae PATH[@HOOK]         the SAE's folder or file, at its own hook point or at HOOK (HOOK_IN:HOOK_OUT for a transcoder)
  --prompt TEXT             without it and --ids a text of Splice's own; 48 tokens and more are reliable
  --ids 2,106,108           token ids, used as they are
  --no-bos                  puts no BOS before the text
  --sae-norm-factor F       the factor in force, where it is another than the SAE's own
  --processing WHICH        the reading in force, as in splice run
  --json                    prints {published, tries: [{hook, processing, l0, explainedVariance, fits, ...}], verdict, ...}
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
`
}
