/** Runs for tests of the history, and a process that keeps them without end, to be killed. */
import { historyRequest } from '../../contract/history.ts'
import { type RunRequest, type RunResult, runRequest, runResult } from '../../contract/run.ts'
import { History } from './history.ts'

/** A run of some tokens under two variants, with numbers that are not finite among them. */
export function someRun(prompt: string, tokens = 4): { request: RunRequest; result: RunResult } {
  const request = runRequest.parse({
    model: '/models/tiny',
    saes: [{ name: 'l0_15', path: '/saes/layer_2/width_1k/average_l0_15' }],
    prompt: { text: prompt },
    variants: [
      { name: 'clean', splices: [] },
      { name: 'spliced', splices: [{ sae: 'l0_15' }] }
    ]
  })
  const positions = Array.from({ length: tokens }, (_, i) => i)
  const variant = (name: string, shift: number) => ({
    name,
    loss: 2 + shift,
    logProbs: positions.map(i => (i === 0 ? null : -i - shift)),
    ranks: positions.map(i => (i === 0 ? null : i)),
    topK: positions.map(i => [{ id: i, text: ` t${i}`, logit: i + shift, logProb: i === 2 ? '-Infinity' : -0.5 }])
  })
  const features = positions.map(i => [{ index: 7 + i, activation: 1.5 * i, maxActivation: null, explanations: [] }])
  const result = runResult.parse({
    model: { path: '/models/tiny', name: 'tiny' },
    tokens: positions.map(i => ({ id: i, text: i === 0 ? '<bos>' : ` w${i}`, special: i === 0 })),
    bosAdded: true,
    warnings: [],
    processing: ['fold_ln'],
    processingFrom: 'chosen',
    processingReason: 'chosen',
    layerOrder: 'checkpoint',
    variants: [variant('clean', 0), variant('spliced', 0.25)],
    comparison: [
      { variant: 'clean', klDivergence: positions.map(() => 0), meanKl: 0, positions: tokens - 1, lossIncrease: 0 },
      { variant: 'spliced', klDivergence: positions.map(i => i / 10), meanKl: 0.2, positions: tokens - 1, lossIncrease: 0.25 }
    ],
    saes: [
      {
        name: 'l0_15',
        hook: 'blocks.2.hook_resid_post',
        hookOut: null,
        path: '/saes/layer_2/width_1k/average_l0_15',
        format: 'gemma-scope',
        dIn: 8,
        dSae: 32,
        release: null,
        normFactor: null,
        notes: [],
        published: { l0: null, explainedVariance: null },
        alarm: null,
        source: 'tiny/2-res',
        sourceChosenByHand: false,
        byVariant: {
          clean: {
            l0: 1,
            mse: 'NaN',
            explainedVariance: 0.9,
            cosineSimilarity: 0.95,
            positions: tokens - 1,
            withSpecial: { l0: 1, explainedVariance: 0.9, positions: tokens },
            active: features.map(list => list.length),
            features
          }
        }
      }
    ],
    provider: 'cpu',
    providerReason: 'the only one',
    milliseconds: { load: 1, compile: 2, run: 3 }
  })
  return { request, result }
}

/** Everything, as a list asks for it. */
export const everything = historyRequest.parse({ limit: 500 })

// Started by itself, it keeps runs of growing size in the file named and says each one's id, until it is killed.
if (process.argv[2] === 'keep-runs' && process.argv[3] !== undefined) {
  const history = new History(process.argv[3], { version: '0.0.0' })
  for (let number = 0; ; number++) {
    const { request, result } = someRun(`run ${number} of a process that will be killed`, 20 + (number % 7) * 200)
    const id = history.keep(request, result)
    await history.flush()
    process.stdout.write(`${id}\n`)
  }
}
