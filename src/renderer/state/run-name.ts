/** Names of SAEs inside a run. */

/** A short run name from a picker name, e.g. `layer_2/width_1k/average_l0_15` -> `l0_15`, lengthened from the left where it is taken. */
export function runNameOf(pickerName: string, taken: readonly string[]): string {
  const segments = pickerName
    .split('/')
    .filter(segment => segment !== '')
    .map(segment => segment.replace(/^average_/, '').replace(/[^A-Za-z0-9_-]+/g, '_'))
  if (segments.length === 0) segments.push('sae')
  for (let count = 1; count <= segments.length; count += 1) {
    const name = segments.slice(-count).join('-')
    if (name !== '' && !taken.includes(name)) return name
  }
  const base = segments.at(-1) ?? 'sae'
  let number = 2
  while (taken.includes(`${base}-${number}`)) number += 1
  return `${base}-${number}`
}

/** A variant's name without what all spliced ones share, e.g. `l0_15+error`: for where its colour or a heading says the rest. */
export function shortVariantName(name: string): string {
  return name.replace(/^spliced: /, '')
}
