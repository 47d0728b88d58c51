/** What drills found, as docs/reliability.md has it between its markers. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drills } from './all.ts'
import type { DrillOutcome } from './drill.ts'
import type { SoakOutcome } from './soak.ts'

const page = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))
const head = '| drill | fault | tried | survived | lost |\n|---|---|---:|---:|---:|'

export function readPage(): string {
  return fs.readFileSync(page, 'utf8')
}

function rowOf({ drill, tried, survived, skipped, losses }: DrillOutcome): string {
  if (skipped !== null) return `| \`${drill.name}\` | ${drill.fault} | 0: ${skipped} | | |`
  return `| \`${drill.name}\` | ${drill.fault} | ${tried} | ${survived} | ${losses.length} |`
}

/** A row for each drill; of those that were not tried, the rows that `before` has stay. */
export function tableOf(outcomes: readonly DrillOutcome[], before = ''): string {
  const rows = new Map([...before.matchAll(/^\| `([a-z-]+)` \|.*$/gm)].map(([row, name = '']) => [name, row]))
  for (const outcome of outcomes) rows.set(outcome.drill.name, rowOf(outcome))
  const order = drills.map(({ name }) => name)
  const sorted = [...rows].sort(([one], [other]) => order.indexOf(one) - order.indexOf(other))
  return [head, ...sorted.map(([, row]) => row)].join('\n')
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)

/** A soak in a table: at the middle and at the end. */
export function soakWords({ operations, minutes, kinds, middle, end }: SoakOutcome): string {
  const row = (name: string, of: (at: SoakOutcome['end']) => string | number) => `| ${name} | ${of(middle)} | ${of(end)} |`
  return [
    `${operations} operations (${Object.entries(kinds)
      .map(([kind, times]) => `${times} ${kind}`)
      .join(', ')}) in ${minutes.toFixed(1)} minutes.`,
    '',
    '| | middle | end |',
    '|---|---:|---:|',
    row('engine, private memory (MB)', at => megabytes(at.engineBytes)),
    row('inference process, private memory (MB)', at => megabytes(at.inferenceBytes)),
    row('host, private memory (MB)', at => megabytes(at.hostBytes)),
    row('engine, open descriptors', at => at.engineDescriptors),
    row('inference process, open descriptors', at => at.inferenceDescriptors),
    row('host, open descriptors', at => at.hostDescriptors)
  ].join('\n')
}

/** The page with something else between the markers of a part; what `writeFileSync` takes. */
export function writePage(text: string, part: 'faults' | 'soak', content: string): [file: string, text: string] {
  const [open, close] = [`<!-- ${part} -->`, `<!-- /${part} -->`]
  const [start, end] = [text.indexOf(open), text.indexOf(close)]
  if (start === -1 || end < start) throw new Error(`${page} has no markers ${open} and ${close}`)
  return [page, `${text.slice(0, start + open.length)}\n${content}\n${text.slice(end)}`]
}
