/**
 * Makes resources/sae-releases.json, the table by which Splice recognises published SAEs, from facts about releases:
 *   node tools/catalogue/build.mjs FACTS.json
 * FACTS.json: {asOf, releases: [{release, repo, model, format, configOverrides?, saes: [{id, path?, neuronpedia?, l0?, normScalingFactor?}]}]}.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const [factsFile] = process.argv.slice(2)
if (factsFile === undefined) {
  console.error('usage: node tools/catalogue/build.mjs FACTS.json')
  process.exit(2)
}
const facts = JSON.parse(readFileSync(factsFile, 'utf8'))

/** The demo's own SAEs. Its sparse one has no explanations, and must not show its neighbour's. */
const demo = [
  {
    release: 'demo-scope-res',
    repo: 'demo-scope-res',
    model: 'demo-gemma2-tiny',
    format: 'gemma_2',
    saes: [
      { id: 'layer_1/width_1k/average_l0_15', l0: 14.69, neuronpedia: 'demo-gemma2-tiny/1-demo-res-1k' },
      { id: 'layer_2/width_1k/average_l0_15', l0: 15.25, neuronpedia: 'demo-gemma2-tiny/2-demo-res-1k' },
      { id: 'layer_2/width_1k/average_l0_3', l0: 3.28 }
    ]
  },
  {
    release: 'demo-saelens',
    repo: 'demo-saelens',
    model: 'demo-gemma2-tiny',
    format: 'sae_lens',
    saes: [
      { id: 'blocks.2.hook_mlp_out', l0: 15.5, neuronpedia: 'demo-gemma2-tiny/2-demo-mlp-1k' },
      { id: 'blocks.2.attn.hook_z', l0: 14.8, neuronpedia: 'demo-gemma2-tiny/2-demo-att-1k' }
    ]
  }
]

const releases = [...demo, ...facts.releases].map(({ release, repo, model, format, configOverrides, saes }) => ({
  release,
  repo,
  model,
  format,
  ...(configOverrides == null ? {} : { configOverrides }),
  // path in the repository, Neuronpedia source, mean L0, id where it is not the path, normalisation factor where there is one
  // a path that is a number is a layer inside a cross-layer file, no path of its own
  saes: saes.map(({ id, path, neuronpedia, l0, normScalingFactor }) => {
    const within = typeof path === 'string' ? path : id
    const row = [within, neuronpedia ?? null, l0 ?? null, within === id ? null : id, normScalingFactor ?? null]
    while (row.length > 3 && row.at(-1) === null) row.pop()
    return row
  })
}))
const lines = releases.map(release => JSON.stringify(release)).join(',\n')
writeFileSync(new URL('../../resources/sae-releases.json', import.meta.url), `{"asOf":"${facts.asOf}","releases":[\n${lines}\n]}\n`)
