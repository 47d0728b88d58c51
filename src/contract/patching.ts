/**
 * Patching between two prompts of equal length, as TransformerLens's patching.py: an activation of the source's run stands in for the
 * base's at one place, and a quantity is read. (There the source is the clean run and the base the corrupted one.)
 */
import { z } from 'zod'
import { runId } from './history.ts'
import { fromMaybeNumber, type MaybeNumber, maybeNumber, toMaybeNumber } from './numbers.ts'
import { quantity, resolvedQuantity } from './quantity.ts'
import { layerOrder, precision, predictedToken, processing, processingFlag, prompt, promptTokens, provider, token } from './run.ts'

/** Where an activation is copied, by TransformerLens's short names of hook points; `z` is each attention head's own output. */
export const patchSite = z.enum(['resid_pre', 'resid_mid', 'resid_post', 'attn_out', 'mlp_out', 'z'])
export type PatchSite = z.infer<typeof patchSite>

/** The hook point of a site in a layer. */
export function hookOfSite(site: PatchSite, layer: number): string {
  return site === 'z' ? `blocks.${layer}.attn.hook_z` : `blocks.${layer}.hook_${site}`
}

/**
 * A grid of cells. Without `head`: of z every head at all positions at once, [layer, head] (get_act_patch_attn_head_out_all_pos); of any
 * other site every position, [layer, position]. With `head`, which only z has: every position of that head, [layer, position].
 */
export const patchGrid = z
  .object({ site: patchSite, head: z.int().nonnegative().nullable().default(null) })
  .refine(({ site, head }) => head === null || site === 'z', { path: ['head'], error: 'Only z has heads.' })
export type PatchGrid = z.infer<typeof patchGrid>

/** What a grid is called: `resid_pre`, `z`, `z head 3`. */
export function gridName({ site, head }: PatchGrid): string {
  return head === null ? site : `${site} head ${head}`
}

/** What every patch is of. The quantity is a function of logits: its tokens are the base's, also where the source's value of it is said. */
const twoPrompts = {
  model: z.string(),
  /** The prompt that is patched. */
  prompt,
  /** The prompt that activations come from, with as many tokens. */
  source: prompt,
  quantity,
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  provider: provider.default('auto'),
  precision: precision.optional()
}

export const patchingRequest = z.object({
  ...twoPrompts,
  sites: z.array(patchGrid).min(1).max(64),
  /** Rows of a batch; changes no number beyond rounding. Without it, what is quick and fits into memory. */
  batchRows: z.int().min(1).max(4096).optional(),
  /** The run of the history, one of the base prompt, that the result is kept with. */
  keepWith: runId.optional()
})
export type PatchingRequest = z.infer<typeof patchingRequest>

const rowsOfNumbers = z.array(z.array(maybeNumber))

/** `effects` and `normalised` are [layer][position], or [layer][head] where `axis` says so. */
export const gridEffects = z.object({
  site: patchSite,
  head: z.int().nullable(),
  axis: z.enum(['position', 'head']),
  /** The quantity with the cell patched minus the base's. */
  effects: rowsOfNumbers,
  /** The same divided by what the source has more than the base: 0 is the base, 1 the source. Null where those two are equal. */
  normalised: rowsOfNumbers.nullable()
})
export type GridEffects = z.infer<typeof gridEffects>

/** The two prompts as they ran, and their values of the quantity. */
const bothRuns = {
  model: z.object({ path: z.string(), name: z.string() }),
  ...promptTokens.shape,
  sourceTokens: z.array(token),
  quantity: resolvedQuantity,
  base: maybeNumber,
  source: maybeNumber
}

const reading = {
  processing: z.array(processingFlag),
  processingReason: z.string(),
  layerOrder,
  provider: z.string(),
  providerReason: z.string()
}

/** What is known before the first cell. */
export const patchingStart = z.object({ ...bothRuns, layers: z.int(), heads: z.int() })
export type PatchingStart = z.infer<typeof patchingStart>

export const patchingResult = patchingStart.extend({
  sites: z.array(gridEffects),
  ...reading,
  /** Cells that were computed, in how many batches. Those that cannot matter were not: their effect is 0. */
  rows: z.int(),
  batches: z.int(),
  milliseconds: z.object({ open: z.number(), rows: z.number() })
})
export type PatchingResult = z.infer<typeof patchingResult>

/** One layer of the grid at a place of the request. */
export const patchedLayer = z.object({ type: z.literal('cells'), place: z.int(), layer: z.int(), effects: z.array(maybeNumber) })
export type PatchedLayer = z.infer<typeof patchedLayer>

/** What running patches say: how far they are, the runs that are patched, layers as they are done, the result; `kept` is its number in the history. */
export const patchingEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('start'), start: patchingStart }),
  patchedLayer,
  z.object({ type: z.literal('result'), result: patchingResult, kept: z.int().nullable() })
])
export type PatchingEvent = z.infer<typeof patchingEvent>

/**
 * One patch. `position` null is all positions, `head` null the whole activation (of z all heads). `from` is the source's position, the
 * same where it is null.
 */
export const patchCell = z
  .object({
    site: patchSite,
    layer: z.int().nonnegative(),
    position: z.int().nonnegative().nullable(),
    head: z.int().nonnegative().nullable().default(null),
    from: z.int().nonnegative().nullable().default(null)
  })
  .refine(({ site, head }) => head === null || site === 'z', { path: ['head'], error: 'Only z has heads.' })
  .refine(({ position, from }) => position !== null || from === null, { path: ['from'], error: 'All positions come from their own.' })
export type PatchCell = z.infer<typeof patchCell>

export const patchRequest = z.object({ ...twoPrompts, cell: patchCell, topK: z.int().min(1).max(1000).default(10) })
export type PatchRequest = z.infer<typeof patchRequest>

export const patchResult = z.object({
  ...bothRuns,
  cell: patchCell,
  hook: z.string(),
  /** The quantity with the cell patched, and that minus the base's. */
  patched: maybeNumber,
  effect: maybeNumber,
  normalised: maybeNumber,
  /** Best first, as predicted after `position`: the quantity's, or of a loss the last one that counts. */
  predictions: z.object({
    position: z.int(),
    base: z.array(predictedToken),
    patched: z.array(predictedToken),
    source: z.array(predictedToken)
  }),
  ...reading,
  milliseconds: z.number()
})
export type PatchResult = z.infer<typeof patchResult>

export const patchEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: patchResult })
])

/** Patches that were kept with a run of their base prompt. */
export const keptPatching = z.object({
  number: z.int(),
  /** ms since 1970. */
  createdAt: z.number(),
  request: patchingRequest,
  result: patchingResult
})
export type KeptPatching = z.infer<typeof keptPatching>

/** Below this base and source differ by no more than the rounding of float32: there is nothing to divide by. */
export const leastSpan = 1e-4

/** What the source has more than the base; null where that is nothing, or no number. */
export function spanOf({ base, source }: { readonly base: MaybeNumber; readonly source: MaybeNumber }): number | null {
  const span = (fromMaybeNumber(source) ?? Number.NaN) - (fromMaybeNumber(base) ?? Number.NaN)
  return Number.isFinite(span) && Math.abs(span) >= leastSpan ? span : null
}

/** An effect as a share of what lies between base and source. */
export function normalisedBy(effect: MaybeNumber, span: number): MaybeNumber {
  const number = fromMaybeNumber(effect)
  return number === null ? null : toMaybeNumber(number / span)
}

/** Where two prompts of one length have different tokens. */
export function differingPositions(base: readonly { readonly id: number }[], source: readonly { readonly id: number }[]): number[] {
  return base.flatMap(({ id }, position) => (source[position]?.id === id ? [] : [position]))
}
