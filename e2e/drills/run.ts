/**
 * `npm run drills [-- NAME...] [--times N] [--seed N] [--write]`: makes faults for real and says what came of them; --write puts the table into
 * docs/reliability.md, rows of faults that were not tried this time stay. Exit code 1 where something was lost.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { drills } from './all.ts'
import { readPage, soakWords, tableOf, writePage } from './report.ts'
import { measureSoak } from './soak.ts'
import { tryDrill } from './try-drill.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    times: { type: 'string' },
    seed: { type: 'string' },
    write: { type: 'boolean', default: false },
    operations: { type: 'string', default: '2000' }
  }
})
const names = [...drills.map(({ name }) => name), 'soak']
const unknown = positionals.filter(name => !names.includes(name))
const count = (text: string | undefined) => (text === undefined ? null : /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN)
const [times, seed, operations] = [count(values.times), count(values.seed) ?? Date.now() % 1_000_000, count(values.operations)]
if (unknown.length > 0 || Number.isNaN(times) || Number.isNaN(seed) || Number.isNaN(operations)) {
  console.error(`drills: ${unknown.join(', ') || '--times, --seed or --operations'} is not known. The drills are ${names.join(', ')}.`)
  process.exit(2)
}
const chosen = positionals.length === 0 ? drills : drills.filter(({ name }) => positionals.includes(name))
const outcomes = []
for (const drill of chosen) {
  const outcome = await tryDrill(drill, { times: times ?? drill.times, seed, tell: line => process.stderr.write(`${line}\n`) })
  outcomes.push(outcome)
  if (values.write) fs.writeFileSync(...writePage(readPage(), 'faults', tableOf([outcome], readPage())))
}
if (outcomes.length > 0) console.log(tableOf(outcomes))
for (const { drill, losses } of outcomes) for (const loss of losses) console.log(`${drill.name}: ${loss}`)
let isSteady = true
if (positionals.length === 0 || positionals.includes('soak')) {
  const soak = await measureSoak({ operations: operations ?? 2000, seed, tell: line => process.stderr.write(`${line}\n`) })
  isSteady = soak.isSteady
  console.log(soakWords(soak))
  if (values.write) fs.writeFileSync(...writePage(readPage(), 'soak', soakWords(soak)))
}
process.exit(isSteady && outcomes.every(({ losses }) => losses.length === 0) ? 0 : 1)
