/** Known traps: what goes wrong with some published SAEs, and with which. The rules are data of the catalogue. */
import path from 'node:path'
import type { SourceTrap, Trap } from '../../contract/releases.ts'
import type { TrapRule } from './catalogue.ts'
import { releaseIndex, releaseOf, repositoryPlaces } from './releases.ts'

/** What rules look at: `repo/path` (or a whole path, with slashes, where no repository is known), source, the model's keywords. */
export interface TrapSubject {
  readonly place: string
  readonly source: string | null
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>>
}

function applies({ when }: TrapRule, subject: TrapSubject): boolean {
  if (when.place !== undefined && !new RegExp(when.place).test(subject.place)) return false
  if (when.source !== undefined && (subject.source === null || !new RegExp(when.source).test(subject.source))) return false
  return when.modelKwarg === undefined || subject.modelFromPretrainedKwargs[when.modelKwarg] === true
}

/** The traps of a published SAE, in the catalogue's order. */
export function trapsOf(subject: TrapSubject, rules: readonly TrapRule[]): Trap[] {
  return rules.filter(rule => applies(rule, subject)).map(({ id, level, title, text }) => ({ id, level, title, text }))
}

/** The rules that tell by a source alone, with their dates. */
export function sourceTrapsOf(rules: readonly TrapRule[]): SourceTrap[] {
  return rules.flatMap(({ id, level, title, text, known, when }) =>
    when.source === undefined || when.place !== undefined || when.modelKwarg !== undefined
      ? []
      : [{ id, level, title, text, sources: when.source, known: known ?? '' }]
  )
}

/** The traps of the SAE at a path, whether or not the catalogue names it. */
export async function trapsAt(saePath: string): Promise<Trap[]> {
  const { catalogue, repositories } = await releaseIndex()
  const known = await releaseOf(saePath)
  const [place] = repositoryPlaces(saePath, repositories)
  const subject = {
    place: place === undefined ? saePath.replaceAll(path.sep, '/') : `${place.repo}/${place.path}`,
    source: known?.source ?? null,
    modelFromPretrainedKwargs: known?.modelFromPretrainedKwargs ?? {}
  }
  return trapsOf(subject, catalogue.traps)
}
