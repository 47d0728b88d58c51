/** A Python script that does a run again with TransformerLens and SAELens, and compares its numbers with those that Splice had. */
import { fromMaybeNumber } from '../../contract/numbers.ts'
import type { ExportedRun } from '../run-export.ts'
import { editedSplicing, editedSteering, editsConstant, isEdited } from './edits.ts'
import { comment, type Literal, py, pyString } from './literal.ts'
import { type KnownConfig, loadWithTransformerLens2, loadWithTransformerLens3, modelConstant } from './model-loading.ts'
import { rangesOf } from './positions.ts'
import { loadSae } from './sae-loading.ts'

export type TransformerLens = 2 | 3

/** What the scripts are pinned to: what the golden numbers were computed with, and the last 3.x with a SAELens 6 that takes it. */
export const pinned: Readonly<Record<TransformerLens, readonly string[]>> = {
  2: ['transformer-lens==2.18.0', 'sae-lens==6.18.0'],
  3: ['transformer-lens==3.5.1', 'sae-lens==6.52.0']
}

const splicing = `def splices_of(splices):
    """Hooks that put each SAE's output in its activation's place, at the positions of its mask."""
    hooks = []
    for name, error_term, mask in splices:
        sae, hook_in, hook_out, seen = saes[name], *SAE_HOOKS[name], {}

        def read(activation, hook, seen=seen):
            seen["input"] = activation

        def stand_in(activation, hook, sae=sae, error_term=error_term, mask=mask, seen=seen):
            output = sae(seen["input"] if seen else activation)
            if error_term:
                output = output + (activation - output)
            at = mask.view(1, -1, *[1] * (activation.ndim - 2))
            return torch.where(at, output, activation)

        if hook_in != hook_out:  # a transcoder
            hooks.append((hook_in, read))
        hooks.append((hook_out, stand_in))
    return hooks`

const running = `results = {}
for name, splices in VARIANTS.items():
    logits = model.run_with_hooks(tokens, fwd_hooks=HOOKS_OF, return_type="logits")
    results[name] = logits[0].float().log_softmax(-1)

for name, log_probs in results.items():
    own = log_probs[:-1].gather(-1, tokens[0, 1:, None])[:, 0]
    loss = -own.mean().item()
    print(f"{name}: loss {loss:.4f} (Splice {SPLICE_LOSS[name]:.4f})")
    expected = torch.tensor(SPLICE_LOG_PROBS[name][1:])
    print(f"  largest difference to Splice's log-probs: {(own - expected).abs().max().item():.2e} nats")
    if "clean" in results and name != "clean":
        clean = results["clean"]
        kl = (clean.exp() * (clean - log_probs)).sum(-1)
        print(f"  mean KL(clean || {name}) {kl[KL_POSITIONS].mean().item():.4f} nats")
    top = log_probs[-1].topk(TOP_K)
    guesses = [(model.tokenizer.decode([i]), round(p, 4)) for i, p in zip(top.indices.tolist(), top.values.exp().tolist())]
    print("  next:", guesses)`

const reading = `for name, sae in saes.items():
    hook_in, _ = SAE_HOOKS[name]
    _, cache = model.run_with_cache(tokens, names_filter=[hook_in])
    acts = sae.encode(cache[hook_in])[0].reshape(len(IDS), -1)
    print(f"{name}: L0 {(acts[KL_POSITIONS] > 0).float().sum(-1).mean().item():.2f}")
    top = acts[-1].topk(min(TOP_FEATURES, acts.shape[-1]))
    print("  features at the last token:", list(zip(top.indices.tolist(), [round(a, 3) for a in top.values.tolist()])))`

/** The script; `known` is what is known of the model's config on this disk. */
export function pythonScript(run: ExportedRun, library: TransformerLens, known: KnownConfig): string {
  const { request, result } = run
  const model = library === 2 ? loadWithTransformerLens2(run, known) : loadWithTransformerLens3(run, known)
  const saes = result.saes.map(loadSae)
  const fromImports = merged([...model.imports, ...saes.flatMap(sae => sae.imports)].filter(line => line.startsWith('from ')))
  const plainImports = [...new Set([...saes.flatMap(sae => sae.imports).filter(line => line.startsWith('import ')), 'import torch'])]
  const isCounted = (special: boolean) => request.metricPositions === 'all' || !special
  const counted = result.tokens.flatMap(({ special }, i) => (isCounted(special) ? [i] : []))
  const parts = [
    docstring(run, library),
    [...plainImports.sort(), ...fromImports].join('\n'),
    'torch.set_grad_enabled(False)\nDEVICE = "cpu"',
    `${modelConstant(run)}\n${model.code}`,
    prompt(run),
    `${comment('Positions: what metrics run over, and where splices act.')}\nKL_POSITIONS = ${py(counted)}`,
    ...[...new Set(saes.flatMap(sae => sae.helpers))],
    ['saes = {}', ...saes.map(sae => sae.code)].join('\n'),
    `${comment('Where each SAE reads, and where its output stands in: the same hook point but for transcoders.')}\nSAE_HOOKS = ${py(
      Object.fromEntries(result.saes.map(({ name, hook, hookOut }) => [name, [hook, hookOut ?? hook]]))
    )}`,
    masks,
    variants(run),
    ...(isEdited(run) ? [editsConstant(run)] : []),
    `TOP_K = ${request.topK}\nTOP_FEATURES = ${Math.max(1, request.topFeatures)}`,
    expected(run),
    ...(isEdited(run) ? [editedSplicing, editedSteering] : [splicing]),
    running.replace('HOOKS_OF', isEdited(run) ? 'hooks_of(splices, EDITS.get(name, []))' : 'splices_of(splices)'),
    ...(result.saes.length === 0 ? [] : [reading])
  ]
  return `${parts.join('\n\n')}\n`
}

function docstring({ result, kept }: ExportedRun, library: TransformerLens): string {
  const title = (kept?.name ?? kept?.prompt ?? '').replaceAll(/\s+/g, ' ').slice(0, 70)
  const safe = pyString(title).slice(1, -1)
  const at = kept === null ? '' : `\nRun ${kept.id}, kept ${new Date(kept.createdAt).toISOString()} by Splice ${kept.version}.`
  return `"""${safe === '' ? 'A run of Splice, done again.' : `A run of Splice, done again: ${safe}`}
${at}
Model ${pyString(result.model.name).slice(1, -1)}, with TransformerLens ${library} and SAELens 6, in float32 on the CPU:

    pip install ${(pinned[library] ?? []).map(pin => `"${pin}"`).join(' ')}

Weight processing: ${result.processing.length === 0 ? 'none' : result.processing.join(', ')} (${pyString(result.processingReason).slice(1, -1)}).
"""`
}

function prompt({ request, result }: ExportedRun): string {
  const ids = result.tokens.map(({ id }) => id)
  const lines = [`${comment('The prompt, token by token, as Splice ran it.')}\nIDS = ${py(ids)}`]
  if ('text' in request.prompt) {
    const { text } = request.prompt
    lines.unshift(`PROMPT = ${pyString(text)}`, `PREPEND_BOS = ${py(result.bosAdded)}`)
    lines.push('tokens = model.to_tokens(PROMPT, prepend_bos=PREPEND_BOS)')
    lines.push('assert tokens[0].tolist() == IDS, "the tokenizer cuts this prompt otherwise here"')
  } else {
    if ('chat' in request.prompt) lines.unshift(comment("The prompt was a chat, written by the model's template."))
    lines.push('tokens = torch.tensor([IDS], device=DEVICE)')
  }
  return lines.join('\n')
}

const masks = `def mask_of(*ranges):
    """A mask over the positions [start, end) of each range."""
    mask = torch.zeros(len(IDS), dtype=torch.bool, device=DEVICE)
    for start, end in ranges:
        mask[start:end] = True
    return mask`

function variants({ request, result }: ExportedRun): string {
  const special = result.tokens.map(token => token.special)
  const lines = request.variants.map(({ name, splices }) => {
    const parts = splices.map(({ sae, errorTerm, positions }) => {
      const ranges = rangesOf(positions, special).map(([start, end]) => `(${start}, ${end})`)
      return `(${pyString(sae)}, ${py(errorTerm)}, mask_of(${ranges.join(', ')}))`
    })
    if (parts.length <= 1) return `    ${pyString(name)}: [${parts.join('')}],`
    return `    ${pyString(name)}: [\n${parts.map(part => `        ${part},\n`).join('')}    ],`
  })
  return `${comment('Each variant: which SAE stands in, whether its error term is added back, and where.')}\nVARIANTS = {\n${lines.join('\n')}\n}`
}

function expected({ result }: ExportedRun): string {
  const rounded = (value: number | null): Literal =>
    value === null ? Number.NaN : Number.isFinite(value) ? Number(value.toPrecision(8)) : value
  const losses = Object.fromEntries(result.variants.map(({ name, loss }) => [name, rounded(fromMaybeNumber(loss))]))
  const logProbs = Object.fromEntries(
    result.variants.map(({ name, logProbs }) => [name, logProbs.map(value => rounded(fromMaybeNumber(value)))])
  )
  return `${comment('What Splice had.')}\nSPLICE_LOSS = ${py(losses)}\nSPLICE_LOG_PROBS = ${py(logProbs)}`
}

/** Import lines with those of one module joined. */
function merged(lines: readonly string[]): string[] {
  const names = new Map<string, Set<string>>()
  for (const line of lines) {
    const [, module = '', list = ''] = /^from (\S+) import (.+)$/.exec(line) ?? []
    const known = names.get(module) ?? new Set()
    for (const name of list.split(', ')) known.add(name)
    names.set(module, known)
  }
  return [...names]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([module, set]) => `from ${module} import ${[...set].sort().join(', ')}`)
}
