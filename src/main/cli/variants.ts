/** `--variants`, `--variant` and `--splice-positions`: the ways in which one prompt is run. */
import type { RunSae, Splice, SplicePositions, Variant } from '../../contract/run.ts'
import { mistake, quoted } from './arguments.ts'

/** The variants that `--variants` knows by name. */
const named = ['clean', 'spliced', 'spliced+error'] as const

/**
 * The variants of a run, in the order given: those of `--variants`, then each `--variant`.
 * Without `--variants` they are clean, spliced and spliced+error; where a `--variant` is given, clean and that; without an SAE, clean alone.
 */
export function readVariants(
  list: string | undefined,
  own: readonly string[],
  saes: readonly RunSae[],
  positions: SplicePositions
): Variant[] {
  const names = list === undefined ? defaultNames(saes, own) : list.split(',').map(name => name.trim())
  const variants = [...names.map(name => namedVariant(name, saes, positions)), ...own.map(text => ownVariant(text, saes, positions))]
  for (const [at, variant] of variants.entries()) {
    if (variants.findIndex(other => other.name === variant.name) < at) {
      throw mistake('--variants', `Two variants of this run are called ${variant.name}.`, 'Name each variant once.')
    }
  }
  return variants
}

/** Whether a run asks for all SAEs at once, which two SAEs of one hook point cannot be. */
export function splicesAll(variants: readonly Variant[]): Variant | undefined {
  return variants.find(variant => variant.name === 'spliced' || variant.name === 'spliced+error')
}

/** `all`, `no-special`, or half-open ranges `A:B,C:D` from zero; an empty range covers no position. */
export function readSplicePositions(text: string | undefined): SplicePositions {
  if (text === undefined || text === 'all') return 'all'
  if (text === 'no-special') return 'no-special'
  if (text === '') return []
  return text.split(',').map(range => {
    const bounds = /^(\d+):(\d+)$/.exec(range.trim())
    const [start, end] = [Number(bounds?.[1]), Number(bounds?.[2])]
    if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start <= end) return [start, end]
    const hint = 'Write all, no-special, or ranges A:B with A not above B, joined by commas, e.g. 1:5,8:9.'
    throw mistake('--splice-positions', `--splice-positions ${quoted(range)} is not a range of positions.`, hint)
  })
}

function defaultNames(saes: readonly RunSae[], own: readonly string[]): readonly string[] {
  return saes.length === 0 || own.length > 0 ? ['clean'] : named
}

function namedVariant(name: string, saes: readonly RunSae[], positions: SplicePositions): Variant {
  if (name === 'clean') return { name, splices: [] }
  if (name !== 'spliced' && name !== 'spliced+error') {
    throw mistake(
      '--variants',
      `--variants: ${quoted(name)} is no variant.`,
      `Choose from ${named.join(', ')}; --variant NAME=SAE defines one of your own.`
    )
  }
  if (saes.length === 0) throw mistake('--variants', `--variants: ${name} needs an SAE.`, 'Add --sae PATH.')
  const errorTerm = name === 'spliced+error'
  return { name, splices: saes.map(sae => ({ sae: sae.name, errorTerm, positions })) }
}

function ownVariant(text: string, saes: readonly RunSae[], positions: SplicePositions): Variant {
  const parts = /^([A-Za-z0-9_-]+)=(.+)$/s.exec(text)
  const name = parts?.[1]
  const list = parts?.[2]
  if (name === undefined || list === undefined) {
    const hint = 'Write --variant NAME=SAE,SAE+error; a NAME is letters, digits, - and _.'
    throw mistake('--variant', `--variant ${quoted(text)} does not name a variant and its SAEs.`, hint)
  }
  if (name === 'clean') throw mistake('--variant', '--variant: clean is the run without any SAE.', 'Choose another name.')
  const splices = list.split(',').map(part => ownSplice(part.trim(), name, saes, positions))
  for (const [at, splice] of splices.entries()) {
    if (splices.findIndex(other => other.sae === splice.sae) < at) {
      throw mistake('--variant', `--variant ${name} names ${splice.sae} twice.`, 'Name each SAE once.')
    }
  }
  return { name, splices }
}

function ownSplice(text: string, variant: string, saes: readonly RunSae[], positions: SplicePositions): Splice {
  const errorTerm = text.endsWith('+error')
  const sae = errorTerm ? text.slice(0, -'+error'.length) : text
  if (saes.some(other => other.name === sae)) return { sae, errorTerm, positions }
  const known = saes.length === 0 ? 'Add it with --sae NAME=PATH.' : `The SAEs of this run are ${saes.map(other => other.name).join(', ')}.`
  throw mistake('--variant', `--variant ${variant}: ${quoted(sae)} is no SAE of this run.`, known)
}
