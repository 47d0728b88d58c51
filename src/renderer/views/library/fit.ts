/** Whether an SAE could stand in a model: by its hook point's name and width, or by width alone where nothing says the hook point. */
import type { ModelSummary, SaeSummary } from '../../../contract/library.ts'

/** True where the model has the SAE's hook point, as wide as the SAE; without a hook point, where any is as wide. */
export function fitsModel(sae: Pick<SaeSummary, 'hook' | 'dIn'>, model: Pick<ModelSummary, 'hookPoints' | 'hookWidths'>): boolean {
  if (sae.hook === null) return model.hookWidths.includes(sae.dIn)
  const at = model.hookPoints.indexOf(sae.hook)
  return at !== -1 && model.hookWidths[at] === sae.dIn
}
