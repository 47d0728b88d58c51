/** The variants of a run as the workbench shows them: clean, each SAE's splices alone, several SAEs spliced together, and edited ones. */
import type { SaeSummary } from '../../contract/library.ts'
import type { RunRequest, SplicePositions, Variant } from '../../contract/run.ts'
import { colorOfColumn, type EditColumn, isEdited, namesOfColumns, settingOf, variantOfColumn } from './edited-variants.ts'

/** What an SAE does in the joint variant: nothing, its reconstruction stands in, or its reconstruction and its error term do. */
export type Joined = 'left-out' | 'spliced' | 'with-error'

/** What of an open SAE decides about variants. `alone` and `withError`: whether its splice runs by itself, without and with the error term. */
export type SplicedSae = {
  name: string
  summary: Pick<SaeSummary, 'hook' | 'hookOut'>
  alone: boolean
  withError: boolean
  joined: Joined
}

/** Which joint variants run: with the error terms that each SAE's `joined` says, and with all of them. */
export type JointChoice = { spliced: boolean; withError: boolean }

/** A variant with its fixed colour (a CSS variable's name) and line; `column` is the id of the column of edits that it is. */
export type ShownVariant = Variant & { color: string; dashed: boolean; column?: number }

const colors = ['--variant-1', '--variant-2', '--variant-3', '--variant-4', '--variant-5']

/** The colour of an SAE's splices, by its place among the open ones. */
export function colorOfSae(place: number): string {
  return colors[place % colors.length] ?? '--variant-1'
}

/** The looks of a request's variants, as the workbench gives them: by the SAE that is spliced, one for several, and their own for edited ones. */
export function looksOf({ saes, variants }: Pick<RunRequest, 'saes' | 'variants'>): ShownVariant[] {
  let columns = 0
  return variants.map(variant => {
    if (isEdited(variant)) {
      columns += 1
      return { ...variant, color: colorOfColumn(columns - 1), dashed: settingOf(variant) === 'with-error' }
    }
    const [first] = variant.splices
    const place = saes.findIndex(({ name }) => name === first?.sae)
    const color = first === undefined ? '--variant-clean' : variant.splices.length > 1 ? '--variant-joint' : colorOfSae(Math.max(0, place))
    return { ...variant, color, dashed: variant.splices.length > 0 && variant.splices.every(({ errorTerm }) => errorTerm) }
  })
}

/** The hook point that an SAE's output stands in for; null when nothing says it. */
export function targetOf({ summary }: Pick<SplicedSae, 'summary'>): string | null {
  return summary.hookOut ?? summary.hook
}

/** The SAE before this one that stands at the same hook point in the joint variant, where only one can; null where none does. */
export function rivalOf<S extends SplicedSae>(sae: S, saes: readonly S[]): S | null {
  const before = saes.slice(0, saes.indexOf(sae))
  return before.find(other => other.joined !== 'left-out' && targetOf(other) === targetOf(sae)) ?? null
}

/** The SAEs of the joint variant: those that take part, one at each hook point. */
export function joinedSaes<S extends SplicedSae>(saes: readonly S[]): S[] {
  return saes.filter(sae => sae.joined !== 'left-out' && rivalOf(sae, saes) === null)
}

/** Clean, then each SAE's splice without and with its error term, then the joint ones, of two SAEs or more, then the edited ones. */
export function shownVariants(
  saes: readonly SplicedSae[],
  joint: JointChoice,
  positions: SplicePositions,
  columns: readonly EditColumn[] = []
): ShownVariant[] {
  const shown = splicedVariants(saes, joint, positions)
  const names = namesOfColumns(
    columns,
    saes.length > 1,
    shown.map(({ name }) => name)
  )
  const edited = columns.map((column, place): ShownVariant => {
    const variant = variantOfColumn(column, names[place] ?? '', positions)
    return { ...variant, color: colorOfColumn(column.look), dashed: settingOf(column) === 'with-error', column: column.id }
  })
  return [...shown, ...edited]
}

function splicedVariants(saes: readonly SplicedSae[], joint: JointChoice, positions: SplicePositions): ShownVariant[] {
  const shown: ShownVariant[] = [{ name: 'clean', splices: [], color: '--variant-clean', dashed: false }]
  for (const [place, { name: sae, alone, withError }] of saes.entries()) {
    const color = colorOfSae(place)
    if (alone) shown.push({ name: `spliced: ${sae}`, splices: [{ sae, positions, errorTerm: false }], color, dashed: false })
    if (withError) shown.push({ name: `spliced: ${sae}+error`, splices: [{ sae, positions, errorTerm: true }], color, dashed: true })
  }
  const members = joinedSaes(saes)
  if (members.length < 2) return shown
  const color = '--variant-joint'
  if (joint.spliced) {
    const splices = members.map(({ name: sae, joined }) => ({ sae, positions, errorTerm: joined === 'with-error' }))
    shown.push({ name: 'together', splices, color, dashed: false })
  }
  if (joint.withError) {
    const splices = members.map(({ name: sae }) => ({ sae, positions, errorTerm: true }))
    shown.push({ name: 'together+error', splices, color, dashed: true })
  }
  return shown
}
