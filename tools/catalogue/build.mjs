/**
 * Makes resources/sae-releases.json, the table by which Splice recognises published SAEs, from facts about releases:
 *   node tools/catalogue/build.mjs FACTS.json
 * FACTS.json: {asOf, releases: [{release, repo, model, format, configOverrides?, saes: [{id, path?, neuronpedia?, l0?}]}]}.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const [factsFile] = process.argv.slice(2)
if (factsFile === undefined) {
  console.error('usage: node tools/catalogue/build.mjs FACTS.json')
  process.exit(2)
}
const facts = JSON.parse(readFileSync(factsFile, 'utf8'))

/** The demo's own SAEs. Its sparse one has no explanations, and must not show its neighbour's. */
const demo = {
  release: 'demo-scope-res',
  repo: 'demo-scope-res',
  model: 'demo-gemma2-tiny',
  format: 'gemma_2',
  saes: [
    { id: 'layer_1/width_1k/average_l0_15', l0: 14.69, neuronpedia: 'demo-gemma2-tiny/1-demo-res-1k' },
    { id: 'layer_2/width_1k/average_l0_15', l0: 15.25, neuronpedia: 'demo-gemma2-tiny/2-demo-res-1k' },
    { id: 'layer_2/width_1k/average_l0_3', l0: 3.28 }
  ]
}

const releases = [demo, ...facts.releases].map(({ release, repo, model, format, configOverrides, saes }) => ({
  release,
  repo,
  model,
  format,
  ...(configOverrides?.model_from_pretrained_kwargs === undefined ? {} : { kwargs: configOverrides.model_from_pretrained_kwargs }),
  // path in the repository, Neuronpedia source, mean L0, id where it is not the path
  // a path that is a number is a layer inside a cross-layer file, no path of its own
  saes: saes.map(({ id, path, neuronpedia, l0 }) => {
    const within = typeof path === 'string' ? path : id
    return [within, neuronpedia ?? null, l0 ?? null, ...(within === id ? [] : [id])]
  })
}))
const lines = releases.map(release => JSON.stringify(release)).join(',\n')
writeFileSync(new URL('../../resources/sae-releases.json', import.meta.url), `{"asOf":"${facts.asOf}","releases":[\n${lines}\n]}\n`)
