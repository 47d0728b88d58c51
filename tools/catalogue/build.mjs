/**
 * Makes resources/sae-releases.json, by which Splice recognises published SAEs, from a folder of facts about releases:
 *   node tools/catalogue/build.mjs FOLDER
 * FOLDER/sae-releases.json: {asOf, releases: [{release, repo, model, format, configOverrides?, saes: [{id, path?, neuronpedia?, l0?,
 * varianceExplained?, normScalingFactor?}]}]}; FOLDER/neuronpedia-models.json: Neuronpedia's model id -> Hugging Face repo.
 * traps.json beside this file says what is known to go wrong with some SAEs, with the month in which a source was last looked at;
 * models.json names models that the facts leave out.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node tools/catalogue/build.mjs FOLDER')
  process.exit(2)
}
const read = file => JSON.parse(readFileSync(file, 'utf8'))
const facts = read(join(folder, 'sae-releases.json'))
const models = { ...read(join(folder, 'neuronpedia-models.json')), ...read(new URL('models.json', import.meta.url)) }
const traps = read(new URL('traps.json', import.meta.url))

/** The demo's own SAEs, with the figures of resources/demo/report.json. Its sparse one has no explanations, and must not show its neighbour's. */
const demo = [
  {
    release: 'demo-scope-res',
    repo: 'demo-scope-res',
    model: 'demo-gemma2-tiny',
    format: 'gemma_2',
    saes: [
      { id: 'layer_1/width_1k/average_l0_15', l0: 14.69, varianceExplained: 0.9328, neuronpedia: 'demo-gemma2-tiny/1-demo-res-1k' },
      { id: 'layer_2/width_1k/average_l0_15', l0: 15.25, varianceExplained: 0.8838, neuronpedia: 'demo-gemma2-tiny/2-demo-res-1k' },
      { id: 'layer_2/width_1k/average_l0_3', l0: 3.28, varianceExplained: 0.794 }
    ]
  },
  {
    release: 'demo-saelens',
    repo: 'demo-saelens',
    model: 'demo-gemma2-tiny',
    format: 'sae_lens',
    saes: [
      { id: 'blocks.2.hook_mlp_out', l0: 15.5, varianceExplained: 0.8806, neuronpedia: 'demo-gemma2-tiny/2-demo-mlp-1k' },
      { id: 'blocks.2.attn.hook_z', l0: 14.8, varianceExplained: 0.9238, neuronpedia: 'demo-gemma2-tiny/2-demo-att-1k' }
    ]
  }
]

/** id, path where it is not the id (false: a layer inside a cross-layer file has none), source, L0, variance explained, scale. */
function rowOf({ id, path, neuronpedia, l0, varianceExplained, normScalingFactor }) {
  const within = typeof path === 'number' ? false : path === undefined || path === id ? null : path
  const row = [id, within, neuronpedia, l0, varianceExplained, normScalingFactor].map(value => value ?? null)
  while (row.length > 1 && row.at(-1) === null) row.pop()
  return row
}

const releases = [...demo, ...facts.releases].map(({ release, repo, model, format, configOverrides, saes }) => ({
  release,
  repo,
  model,
  format,
  ...(configOverrides == null ? {} : { configOverrides }),
  saes: saes.map(rowOf)
}))
const lines = list => `[\n${list.map(item => JSON.stringify(item)).join(',\n')}\n]`
writeFileSync(
  new URL('../../resources/sae-releases.json', import.meta.url),
  `{"asOf":"${facts.asOf}","models":${JSON.stringify(models)},\n"traps":${lines(traps)},\n"releases":${lines(releases)}}\n`
)
