/** Neuronpedia's names of sources within their models. */

/** `20-gemmascope-res-16k` is layer 20 of the release gemmascope-res-16k; other names are their own release. */
export function partsOfLayer(layer: string): { layerNumber: number | null; release: string } {
  const [, number, release] = /^(\d+)-(.+)$/.exec(layer) ?? []
  return number === undefined || release === undefined ? { layerNumber: null, release: layer } : { layerNumber: Number(number), release }
}
