/** The runs of models alone in fixtures/golden/index.json: every reading of every prompt. */
import path from 'node:path'
import { index, promptOf } from './golden-files.ts'

export interface ModelCase {
  readonly model: string
  readonly reading: string
  readonly prompt: string
  /** Below the golden folder. */
  readonly file: string
  /** The hook points in the order in which they ran; empty where outputs alone are recorded. */
  readonly order: readonly string[]
}

const readings = await Promise.all(
  index.models.flatMap(({ id: model, prompts }) =>
    prompts.map(async ({ id: prompt }): Promise<ModelCase[]> => {
      const { variants } = await promptOf(model, prompt)
      return Object.entries(variants).map(([reading, { file, cache_order: order = [] }]) => ({
        model,
        reading,
        prompt,
        file: path.join('runs', model, prompt, path.basename(file)),
        order
      }))
    })
  )
)
const further = index.extra_variants.flatMap(({ model, variant: reading, cache_order: order, runs }): ModelCase[] =>
  runs.map(({ prompt, file }) => ({ model, reading, prompt, file, order }))
)

export const modelCases: readonly ModelCase[] = [...readings.flat(), ...further]
