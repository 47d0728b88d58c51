/** What the palette lists, in sections: what is known here at once, matched and ranked; and what the engine finds, as it comes. */

import { chordsOf } from '../../../contract/actions.ts'
import type { SearchHit } from '../../../contract/explanations.ts'
import type { KeptRun } from '../../../contract/history.ts'
import type { SavedPrompt } from '../../../contract/prompts.ts'
import { chordLabel } from '../../actions/chord.ts'
import { fuzzyMatch } from '../../actions/fuzzy.ts'
import type { Action } from '../../actions/registry.svelte.ts'
import { formatMoment } from '../../state/moment.ts'
import { excerptOf, findPrompts } from '../../state/saved-prompts.ts'

/** One line. `at` are the letters of the title that matched; `why` says that it cannot be chosen now. */
export interface PaletteItem {
  readonly key: string
  readonly title: string
  readonly at?: readonly number[]
  /** Beside the title, in small. */
  readonly facts?: string
  readonly mono?: boolean
  readonly chord?: string
  readonly checked?: boolean
  readonly why?: string
  readonly act: () => unknown
}

export interface PaletteSection {
  readonly title: string
  readonly items: readonly PaletteItem[]
}

/** A model or an SAE that can be opened. */
export interface Openable {
  readonly kind: 'model' | 'sae'
  readonly path: string
  readonly name: string
  readonly facts: string
}

/** A feature by its source (`modelId/layer`) and index. */
export interface FeatureName {
  readonly source: string
  readonly index: number
}

const actionsShown = 12
const others = 6

/** An action as a line. */
export function itemOfAction(action: Action, at: readonly number[], isMac: boolean): PaletteItem {
  const { id, title, group, why, checked, act } = action
  const chord = chordsOf(action, isMac)[0]
  return {
    key: `action:${id}`,
    title,
    at,
    facts: group,
    act,
    ...(chord === undefined ? {} : { chord: chordLabel(chord, isMac) }),
    ...(checked === undefined ? {} : { checked }),
    ...(why === undefined ? {} : { why })
  }
}

/** Actions by how well they match, all in their own order for an empty query; those that cannot be done now come last. */
export function matchingActions(query: string, actions: readonly Action[], isMac: boolean): PaletteItem[] {
  if (query === '') return actions.map(action => itemOfAction(action, [], isMac))
  return actions
    .flatMap(action => {
      const match = fuzzyMatch(query, action.title, `${action.group} ${action.keywords ?? ''}`)
      return match === null ? [] : [{ action, match }]
    })
    .sort((a, b) => Number(a.action.why !== undefined) - Number(b.action.why !== undefined) || b.match.score - a.match.score)
    .slice(0, actionsShown)
    .map(({ action, match }) => itemOfAction(action, match.at, isMac))
}

/** The actions chosen last, the last one first; those that there are not now, or not enabled, are left out. */
export function recentActions(ids: readonly string[], actions: readonly Action[], isMac: boolean): PaletteItem[] {
  return ids.flatMap(id => {
    const action = actions.find(other => other.id === id)
    return action === undefined || action.why !== undefined ? [] : [{ ...itemOfAction(action, [], isMac), key: `recent:${id}` }]
  })
}

/** Models and SAEs by name and path. */
export function matchingOpenables(query: string, openables: readonly Openable[], open: (item: Openable) => unknown): PaletteItem[] {
  return openables
    .flatMap(item => {
      const match = fuzzyMatch(query, item.name, `${item.path.replaceAll(/[\\/]/g, ' ')} ${item.kind} open ${item.facts}`)
      return match === null ? [] : [{ item, match }]
    })
    .sort((a, b) => b.match.score - a.match.score)
    .slice(0, others)
    .map(({ item, match: { at } }) => ({
      key: `${item.kind}:${item.path}`,
      title: item.name,
      at,
      facts: item.facts,
      mono: true,
      act: () => open(item)
    }))
}

/** Saved prompts by name and words. */
export function matchingPrompts(query: string, prompts: readonly SavedPrompt[], use: (prompt: SavedPrompt) => unknown): PaletteItem[] {
  return findPrompts(prompts, query)
    .slice(0, others)
    .map(saved => ({ key: `prompt:${saved.id}`, title: saved.name, facts: excerptOf(saved.prompt), act: () => use(saved) }))
}

/** Kept runs. */
export function runItems(runs: readonly KeptRun[], open: (id: string) => unknown): PaletteItem[] {
  return runs.map(({ id, name, prompt, model, createdAt, pinned }) => {
    const text = prompt.replaceAll(/\s+/g, ' ')
    const facts = [...(name === null ? [] : [text]), model.name, formatMoment(createdAt)].join(', ')
    return { key: `run:${id}`, title: `${pinned ? '★ ' : ''}${name ?? text}`, facts, act: () => open(id) }
  })
}

/** Hits of a search for explanations, and the way to all of them. */
export function explanationItems(
  query: string,
  hits: readonly SearchHit[],
  go: { feature: (name: FeatureName) => unknown; all: () => unknown }
): PaletteItem[] {
  const found = hits.map(({ id, model, layer, index, description, matches }) => ({
    key: `hit:${id}`,
    title: description,
    at: matches.flatMap(([start, end]) => Array.from({ length: end - start }, (_, offset) => start + offset)),
    facts: `${layer}/${index}`,
    act: () => go.feature({ source: `${model}/${layer}`, index })
  }))
  return [...found, { key: 'all-hits', title: `Search all explanations for “${query}”`, act: go.all }]
}

/**
 * The features that what was typed names: `model/source/index`, a source's name and an index, or an index alone, which is one of the
 * SAEs that are open. `known` are the sources in the mirror, `open` those of open SAEs with their widths.
 */
export function namedFeatures(
  typed: string,
  known: readonly string[],
  open: readonly { source: string; features: number }[]
): (FeatureName & { isKnown: boolean })[] {
  const [, text, digits] = /^(?:(.+?)\s*\/\s*)?(\d{1,9})$/.exec(typed.trim()) ?? []
  if (digits === undefined) return []
  const index = Number(digits)
  const named = (sources: readonly string[]) =>
    [...new Set(sources)].slice(0, others).map(source => ({ source, index, isKnown: known.includes(source) }))
  if (text === undefined) return named(open.filter(({ features }) => index < features).map(({ source }) => source))
  const wanted = text.toLowerCase()
  const all = [...known, ...open.map(({ source }) => source)]
  const exact = all.filter(source => source.toLowerCase() === wanted || source.toLowerCase().split('/').slice(1).join('/') === wanted)
  if (exact.length > 0) return named(exact)
  const within = all.filter(source => source.toLowerCase().includes(wanted))
  if (within.length > 0) return named(within)
  // Its page says what can be done about a source that is not here.
  return text.includes('/') ? [{ source: text, index, isKnown: false }] : []
}

/** Features by name. */
export function featureItems(features: readonly (FeatureName & { isKnown: boolean })[], go: (name: FeatureName) => unknown): PaletteItem[] {
  return features.map(({ source, index, isKnown }) => ({
    key: `feature:${source}/${index}`,
    title: `${source}/${index}`,
    facts: isKnown ? 'feature' : 'feature; its source is not in the mirror',
    mono: true,
    act: () => go({ source, index })
  }))
}
