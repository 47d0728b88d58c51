/** Two prompts of equal length under one reading of a model, which activations are copied between. */
import { SpliceError } from '../../contract/errors.ts'
import { differingPositions } from '../../contract/patching.ts'
import type { PromptTokens, Token } from '../../contract/run.ts'
import type { PatchingJob } from './messages.ts'
import type { OpenModel } from './models.ts'
import { runnablePrompt } from './prompt-tokens.ts'
import { type InferenceState, type Prepared, prepare } from './run.ts'

/** The base's prompt, prepared, with the source's tokens. */
export interface PairedPrompts extends Prepared {
  readonly sourceTokens: readonly Token[]
  /** Where the two have different tokens. */
  readonly differing: readonly number[]
}

const named = (tokens: readonly Token[]) => tokens.map(({ text, id }) => `${JSON.stringify(text)} (${id})`).join(' ') || 'nothing'
/** Tokens that an error lists of each prompt at most. */
const mostListed = 6

/** Which tokens stand between what both prompts begin with and what both end with. */
function difference(base: readonly Token[], source: readonly Token[]): string {
  const shorter = Math.min(base.length, source.length)
  let start = 0
  while (start < shorter && base[start]?.id === source[start]?.id) start += 1
  let end = 0
  while (end < shorter - start && base.at(-1 - end)?.id === source.at(-1 - end)?.id) end += 1
  const between = (tokens: readonly Token[]) => {
    const own = tokens.slice(start, tokens.length - end)
    return `${named(own.slice(0, mostListed))}${own.length > mostListed ? ' …' : ''}`
  }
  return `from position ${start} on the prompt has ${between(base)} where the source has ${between(source)}`
}

/** Throws `patching/lengths` with both counts and the tokens that differ. */
function requireEqualLengths(base: readonly Token[], source: readonly Token[]): void {
  if (base.length === source.length) return
  throw new SpliceError(
    'patching/lengths',
    `the prompt has ${base.length} tokens and the source ${source.length}: ${difference(base, source)}`,
    { field: 'source', hint: 'Activations are copied position by position: write both with equally many tokens.' }
  )
}

async function sourcePrompt(job: Pick<PatchingJob, 'source'>, model: OpenModel): Promise<PromptTokens> {
  try {
    return await runnablePrompt(job.source, model)
  } catch (thrown) {
    if (!(thrown instanceof SpliceError)) throw thrown
    const { kind, message, hint, mistake } = thrown
    throw new SpliceError(kind, `the source: ${message}`, {
      field: 'source',
      mistake,
      cause: thrown,
      ...(hint === undefined ? {} : { hint })
    })
  }
}

/** Opens the model and both prompts. Throws what is wrong with either, and `patching/lengths`. */
export async function preparePair(
  { model, prompt, source, processing, layerOrder, cacheFolder }: Omit<PatchingJob, 'sites'>,
  state: Pick<InferenceState, 'models'>
): Promise<PairedPrompts> {
  const job = { model, prompt, processing, layerOrder, cacheFolder, saes: [], variants: [{ name: 'clean', splices: [] }] }
  const prepared = await prepare(job, state)
  const { tokens, warnings } = await sourcePrompt({ source }, prepared.model)
  requireEqualLengths(prepared.tokens, tokens)
  return {
    ...prepared,
    warnings: [...prepared.warnings, ...warnings.map(warning => `the source: ${warning}`)],
    sourceTokens: tokens,
    differing: differingPositions(prepared.tokens, tokens)
  }
}

/** Throws `patching/site` where the model has no such hook point, and `patching/head` for a head that it does not have. */
export function requireSite({ site, head }: { site: PatchingJob['sites'][number]['site']; head: number | null }, model: OpenModel): void {
  const { heads } = model.transformer.shape
  if (site === 'resid_mid' && !model.hookPoints.some(({ name }) => name.endsWith('.hook_resid_mid'))) {
    throw new SpliceError('patching/site', `${model.name} has no resid_mid: its attention and MLP read the stream side by side`, {
      field: 'sites',
      hint: 'Patch resid_pre or resid_post.'
    })
  }
  if (head === null || head < heads) return
  throw new SpliceError('patching/head', `there is no head ${head} in ${model.name}, which has ${heads}`, {
    field: 'head',
    hint: `The last one is ${heads - 1}.`
  })
}
