/** Edits of features in a script: activations on SAELens's `hook_sae_acts_post`, steering on the hook point of the model. */
import type { ExportedRun } from '../run-export.ts'
import { comment, py, pyString } from './literal.ts'
import { rangesOf } from './positions.ts'

/** Whether any variant of a run edits features. */
export function isEdited({ request }: ExportedRun): boolean {
  return request.variants.some(({ edits = [] }) => edits.length > 0)
}

/**
 * The edits by variant, and by how much rows of W_dec are multiplied to be as they are stored: where SAELens folds a factor into the decoder.
 * An SAE whose rows are not as stored in another way, and is steered along, stops the script.
 */
export function editsConstant({ request, result }: ExportedRun): string {
  const special = result.tokens.map(token => token.special)
  const lines = request.variants.flatMap(({ name, edits = [] }) => {
    if (edits.length === 0) return []
    const parts = edits.map(({ sae, feature, kind, value, positions }) => {
      const ranges = rangesOf(positions, special).map(([start, end]) => `(${start}, ${end})`)
      return `        (${pyString(sae)}, ${feature}, ${pyString(kind)}, ${py(value)}, mask_of(${ranges.join(', ')})),\n`
    })
    return [`    ${pyString(name)}: [\n${parts.join('')}    ],`]
  })
  const steered = new Set(request.variants.flatMap(({ edits = [] }) => edits.flatMap(({ kind, sae }) => (kind === 'steer' ? [sae] : []))))
  const stops = result.saes
    .filter(({ name, format, hook }) => steered.has(name) && format === 'gemma-scope' && hook.endsWith('hook_embed'))
    .map(
      ({ name }) =>
        `raise SystemExit(${pyString(`Steering along ${name}: SAELens scales the decoder of an SAE of embeddings, Splice takes its rows as stored.`)})`
    )
  const factors = Object.fromEntries(result.saes.flatMap(({ name, normFactor }) => (normFactor === null ? [] : [[name, normFactor.value]])))
  return [
    comment(
      'Edits of features: SAE, feature, what is done with which value, and where. An activation is scaled or set as decode reads it; steering adds value times a row of W_dec.'
    ),
    `EDITS = {\n${lines.join('\n')}\n}`,
    ...(Object.keys(factors).length === 0
      ? []
      : [comment('Rows of W_dec times these are as stored: a factor of the activations was folded into them above.')]),
    `FOLDED = ${py(factors)}`,
    ...stops
  ].join('\n')
}

/** Splices with edits: SAEs are run with a hook on their activations; the error term is of the reconstruction without edits. */
export const editedSplicing = `def change_of(edits):
    """A hook on an SAE's activations that scales or sets some of them."""

    def change(acts, hook):
        acts = acts.to_dense() if acts.is_sparse else acts.clone()
        for _, feature, kind, value, mask in edits:
            old = acts[..., feature]
            new = torch.full_like(old, value) if kind == "set" else old * value
            acts[..., feature] = torch.where(mask, new, old)
        return acts

    return change

def splices_of(splices, edits):
    """Hooks that put each SAE's output in its activation's place, at the positions of its mask."""
    hooks = []
    for name, error_term, mask in splices:
        sae, hook_in, hook_out, seen = saes[name], *SAE_HOOKS[name], {}
        own = [edit for edit in edits if edit[0] == name and edit[2] != "steer"]

        def read(activation, hook, seen=seen):
            seen["input"] = activation

        def stand_in(activation, hook, sae=sae, error_term=error_term, mask=mask, seen=seen, own=own):
            x = seen["input"] if seen else activation
            plain = sae(x)
            output = sae.run_with_hooks(x, fwd_hooks=[("hook_sae_acts_post", change_of(own))]) if own else plain
            if error_term:
                output = output + (activation - plain)
            at = mask.view(1, -1, *[1] * (activation.ndim - 2))
            return torch.where(at, output, activation)

        if hook_in != hook_out:  # a transcoder
            hooks.append((hook_in, read))
        hooks.append((hook_out, stand_in))
    return hooks`

/** Steering: before SAEs read where the variant does not splice the SAE, behind its output where it does. */
export const editedSteering = `def steering_of(edits):
    """Hooks that add value times a row of W_dec, as it is stored, to a hook point of the model."""
    hooks = []
    for name, feature, _, value, mask in edits:
        row = saes[name].W_dec[feature] * FOLDED.get(name, 1)

        def steer(activation, hook, row=row, value=value, mask=mask):
            at = mask.view(1, -1, *[1] * (activation.ndim - 2))
            return activation + at * value * row.view(1, 1, *activation.shape[2:])

        hooks.append((SAE_HOOKS[name][1], steer))
    return hooks

def hooks_of(splices, edits):
    """All hooks of a variant, in the order in which they act at a hook point."""
    steered = [edit for edit in edits if edit[2] == "steer"]
    spliced = {name for name, *_ in splices}
    before = steering_of([edit for edit in steered if edit[0] not in spliced])
    behind = steering_of([edit for edit in steered if edit[0] in spliced])
    return before + splices_of(splices, edits) + behind`
