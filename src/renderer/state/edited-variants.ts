/** Variants in which features are edited: columns that a person adds, how they are named, and how they come back from a run. */
import type { FeatureEdit, Splice, SplicePositions, Variant } from '../../contract/run.ts'
import { editShortly } from './edit-words.ts'

/**
 * A column of edits. `splices`: whose output stands in, without its positions, which are all splices' alike; none where the model is steered as
 * it is. `look` is the place of its colour, its own as long as it is there. `given` is the name that a run gave it, until it is changed.
 */
export type EditColumn = {
  readonly id: number
  readonly look: number
  readonly given: string | null
  readonly splices: readonly Pick<Splice, 'sae' | 'errorTerm'>[]
  readonly edits: readonly FeatureEdit[]
}

/** A column before it has a place. */
export type NewColumn = Pick<EditColumn, 'splices' | 'edits'> & Partial<Pick<EditColumn, 'given'>>

/** What edits stand in: the SAE's splice, with its error term, or (steering only) the model as it is. */
export const editSettings = ['spliced', 'with-error', 'as-is'] as const
export type EditSetting = (typeof editSettings)[number]

/** Columns have as many colours. */
export const editColors = ['--edit-1', '--edit-2', '--edit-3', '--edit-4', '--edit-5', '--edit-6'] as const

/** A variant's name has room for this many characters. */
const longest = 80

export function colorOfColumn(look: number): string {
  return editColors[look % editColors.length] ?? '--edit-1'
}

/** In what a column's edits stand. */
export function settingOf({ splices }: Pick<EditColumn, 'splices'>): EditSetting {
  if (splices.length === 0) return 'as-is'
  return splices.every(({ errorTerm }) => errorTerm) ? 'with-error' : 'spliced'
}

/** The splices of SAEs with edits, as a setting has them. */
export function splicesIn(setting: EditSetting, edits: readonly Pick<FeatureEdit, 'sae'>[]): EditColumn['splices'] {
  if (setting === 'as-is') return []
  return [...new Set(edits.map(({ sae }) => sae))].map(sae => ({ sae, errorTerm: setting === 'with-error' }))
}

/** Whether edits can stand in a setting: only steering can in the model as it is. */
export function canStand(setting: EditSetting, edits: readonly Pick<FeatureEdit, 'kind'>[]): boolean {
  return setting !== 'as-is' || edits.every(({ kind }) => kind === 'steer')
}

/** A column in another setting. */
export function putInto(column: EditColumn, setting: EditSetting): EditColumn {
  if (setting === settingOf(column)) return column
  const own = column.splices.length === 0 ? splicesIn(setting, column.edits) : column.splices
  const splices = setting === 'as-is' ? [] : own.map(({ sae }) => ({ sae, errorTerm: setting === 'with-error' }))
  return { ...column, given: null, splices }
}

/** A column with other edits: SAEs that come in are spliced as the others are, those without edits any more are not. */
export function withEdits(column: EditColumn, edits: readonly FeatureEdit[]): EditColumn {
  const setting = settingOf(column)
  const edited = new Set(edits.map(({ sae }) => sae))
  const left = new Set(column.edits.map(({ sae }) => sae).filter(sae => !edited.has(sae)))
  const wasSpliced = new Set(column.splices.map(({ sae }) => sae))
  const needsSplice = edits.some(({ kind }) => kind !== 'steer')
  const added = splicesIn(setting === 'as-is' && needsSplice ? 'spliced' : setting, edits).filter(({ sae }) => !wasSpliced.has(sae))
  return { ...column, given: null, edits, splices: [...column.splices.filter(({ sae }) => !left.has(sae)), ...added] }
}

/** Ids are given once, so that a column that was removed can come back. */
let lastId = 0

/** Columns with new ones behind them, each with the first colour that is free. */
export function withColumns(columns: readonly EditColumn[], added: readonly NewColumn[]): EditColumn[] {
  const all = [...columns]
  for (const { splices, edits, given = null } of added) {
    const taken = new Set(all.map(({ look }) => look))
    let look = 0
    while (taken.has(look)) look += 1
    lastId += 1
    all.push({ id: lastId, look, given, splices, edits })
  }
  return all
}

function derivedName({ splices, edits }: Pick<EditColumn, 'splices' | 'edits'>, namesSaes: boolean): string {
  const isNamed = (sae: string, place: number) => namesSaes && edits[place - 1]?.sae !== sae
  const words = edits.map((edit, place) => `${isNamed(edit.sae, place) ? `${edit.sae} ` : ''}${editShortly(edit)}`)
  const setting = settingOf({ splices })
  const isSteering = edits.every(({ kind }) => kind === 'steer')
  const end = setting === 'with-error' ? ' +error' : setting === 'spliced' && isSteering ? ', spliced' : ''
  const whole = `${words.join(', ')}${end}`
  if (whole.length <= longest - 6) return whole
  return `${(words[0] ?? '').slice(0, longest - 26)}, ${words.length - 1} more${end}`
}

/** The columns' names, each another than those that are taken. SAEs are named where there are several to be told apart. */
export function namesOfColumns(columns: readonly EditColumn[], namesSaes: boolean, taken: readonly string[]): string[] {
  const names: string[] = []
  for (const column of columns) {
    const name = column.given ?? derivedName(column, namesSaes)
    const isTaken = (candidate: string) => taken.includes(candidate) || names.includes(candidate)
    let number = 1
    while (isTaken(number === 1 ? name : `${name} (${number})`)) number += 1
    names.push(number === 1 ? name : `${name} (${number})`)
  }
  return names
}

/** A column as a run asks for it. */
export function variantOfColumn({ splices, edits }: EditColumn, name: string, positions: SplicePositions): Variant {
  return { name, splices: splices.map(splice => ({ ...splice, positions })), edits: [...edits] }
}

/** Whether a variant has edits. */
export function isEdited({ edits = [] }: Pick<Variant, 'edits'>): boolean {
  return edits.length > 0
}

/** The columns of a run's edited variants; names that are not of our making stay. */
export function columnsOf(variants: readonly Variant[]): EditColumn[] {
  const edited = variants.filter(isEdited).map(({ name, splices: own, edits = [] }) => {
    const splices = own.map(({ sae, errorTerm }) => ({ sae, errorTerm }))
    const isOurs = [false, true].some(namesSaes => derivedName({ splices, edits }, namesSaes) === name)
    return { given: isOurs ? null : name, splices, edits }
  })
  return withColumns([], edited)
}

/** The columns that are left when SAEs close: those that touch none of them. */
export function columnsWithout(columns: readonly EditColumn[], isOpen: (sae: string) => boolean): EditColumn[] {
  return columns.filter(({ splices, edits }) => [...splices, ...edits].every(({ sae }) => isOpen(sae)))
}
