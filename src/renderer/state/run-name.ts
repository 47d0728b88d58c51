/** Names of SAEs inside a run. */

/** Most characters of a name: a variant's has room for it and for what it says beside it. */
const longest = 48

/** A name that is not too long: of one that is, its beginning and its end, which tells neighbours apart. */
function shortened(name: string): string {
  return name.length <= longest ? name : `${name.slice(0, longest - 24)}__${name.slice(-22)}`
}

/** A short run name from a picker name, e.g. `layer_2/width_1k/average_l0_15` -> `l0_15`, lengthened from the left where it is taken. */
export function runNameOf(pickerName: string, taken: readonly string[]): string {
  const segments = pickerName
    .split('/')
    .filter(segment => segment !== '')
    .map(segment => segment.replace(/^average_/, '').replace(/[^A-Za-z0-9_-]+/g, '_'))
  if (segments.length === 0) segments.push('sae')
  for (let count = 1; count <= segments.length; count += 1) {
    const name = shortened(segments.slice(-count).join('-'))
    if (name !== '' && !taken.includes(name)) return name
  }
  const base = shortened(segments.at(-1) ?? 'sae')
  let number = 2
  while (taken.includes(`${base}-${number}`)) number += 1
  return `${base}-${number}`
}

/** A variant's name without what all spliced ones share, e.g. `l0_15+error`: for where its colour or a heading says the rest. */
export function shortVariantName(name: string): string {
  return name.replace(/^spliced: /, '')
}
