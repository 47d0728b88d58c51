/** The keys of the lever, for the feature that a view has chosen. */
import type { Behaviours } from '../../actions/registry.svelte.ts'
import { edits } from '../../state/edits.svelte.ts'
import { type LeverTarget, lever } from '../../state/lever.svelte.ts'

/** Ablating a feature and opening its lever; `none` says why there is none, `words` which one it is. */
export function leverActions(target: LeverTarget | null, none: string, words = ''): Behaviours {
  if (target === null) return { 'feature.ablate': { act: () => undefined, why: none }, 'feature.edit': { act: () => undefined, why: none } }
  const { sae, feature } = target
  const why = lever.saeOf(target) === undefined ? `${sae} is not open` : undefined
  const called = `${feature} of ${sae}${words === '' ? '' : `, ${words}`}`
  const anchor = () => document.querySelector<HTMLElement>(`[data-testid="lever-${CSS.escape(`${sae}-${feature}`)}"]`)
  return {
    'feature.ablate': {
      act: () => edits.ablate(sae, feature, lever.setting),
      why,
      title: edits.ablationOf(sae, feature) === undefined ? `Ablate feature ${called}` : `Stop ablating feature ${called}`
    },
    'feature.edit': { act: () => lever.show(target, anchor()), why, title: `Multiply, set or steer feature ${called}…` }
  }
}
