/** Every view and dialog with something in it, and empty: how a person gets there. A view without an entry here fails the tests. */

import { compareStates } from './states/compare.ts'
import { explanationStates } from './states/explanations.ts'
import { firstStates } from './states/first.ts'
import { resultStates } from './states/results.ts'
import type { ViewState } from './states/steps.ts'
import { windowStates } from './states/window.ts'

/** In the order in which they are visited; later ones find what earlier ones made. */
export const viewStates: readonly ViewState[] = [...firstStates, ...compareStates, ...explanationStates, ...resultStates, ...windowStates]
