/** `splice harvest`: what features of SAEs do on one's own text, into the mirror; `splice harvest merge` puts shards together. */
import { describeProgress } from '../../contract/evaluation.ts'
import type { HarvestMergeResult, HarvestPlan, HarvestRequest, HarvestResult } from '../../contract/harvest.ts'
import type { Engine } from '../engine/engine.ts'
import { aligned } from './aligned.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import { readHarvestOrder, readMergeOrder } from './harvest-request.ts'
import { resultOf, showStage } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** How often a log that no one watches gets a line of progress, in ms. */
const lineInterval = 10_000

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function harvest(argv: readonly string[], terminal: Terminal): Promise<number> {
  if (argv[0] === 'merge') return merge(argv.slice(1), terminal)
  const { request, json, db } = readHarvestOrder(argv)
  const result = await withEngine({ db, infers: true, explains: false }, client => harvested(client, request, terminal))
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(result)}\n` : tableOf(result))
  return exitCode.done
}

async function harvested(client: Engine['client'], request: HarvestRequest, terminal: Terminal): Promise<HarvestResult> {
  let shownAt = performance.now()
  const events = await client.harvests.run(request, { signal: terminal.signal })
  const { result } = await resultOf(events, 'harvest', event => {
    if (event.type === 'plan') {
      terminal.note(planLine(event.plan))
      return
    }
    const line =
      event.stage === 'writing'
        ? `writing to the mirror ${Math.round(event.fraction * 100)}%`
        : describeProgress({ ...event, stage: 'running' })
    terminal.progress(line)
    if (terminal.showsProgress || performance.now() - shownAt < lineInterval) return
    terminal.note(line)
    shownAt = performance.now()
  })
  return result
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** What it will hold, said before it begins. */
function planLine({ features, bytesPerFeature, memoryBytes, file, tokensKept }: HarvestPlan): string {
  const held = `holds ${formatBytes(memoryBytes)} (${number(features)} features x ${formatBytes(bytesPerFeature)}), however many tokens`
  return `${held}; kept in ${file}${tokensKept === null ? '' : `, which has ${number(tokensKept)} tokens already`}`
}

function saeTable(saes: HarvestResult['saes']): string {
  const rows = saes.map(({ name, hook, hookOut, features, fired, meanActive, source }) => [
    name,
    hookOut === null ? hook : `${hook} -> ${hookOut}`,
    number(features),
    number(fired),
    meanActive.toFixed(2),
    source
  ])
  return aligned([['', 'hook point', 'features', 'fired', 'mean active', 'source'], ...rows], new Set([0, 1, 5]))
}

function tableOf(result: HarvestResult): string {
  const { model, saes, tokens, counted, sequences, context, shard, file, inMirror, textEnded, seconds, provider } = result
  const processing = result.processing.length === 0 ? 'no processing' : result.processing.join(', ')
  const share = shard === null ? '' : `, shard ${shard.index} of ${shard.of}`
  const kept = file === null ? [] : [`kept in ${file}`]
  const ended = textEnded ? ['the text has no more tokens'] : []
  return `${[
    `${model.name}  ${processing} (${result.processingReason})`,
    `${number(tokens)} tokens${share}, ${number(counted)} of them counted, in ${number(sequences)} sequences of at most ${number(context)}`,
    `${provider}  ${seconds.toFixed(1)} s`,
    '',
    saeTable(saes),
    '',
    inMirror
      ? 'The sources are in the mirror: splice feature MODEL/SOURCE/INDEX shows a feature.'
      : 'splice harvest merge puts shards together and into the mirror.',
    ...ended,
    ...kept
  ].join('\n')}\n`
}

async function merge(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, json, db } = readMergeOrder(argv)
  const result = await withEngine({ db, explains: false }, async client => {
    const events = await client.harvests.merge(request, { signal: terminal.signal })
    return (await resultOf(events, 'merge', event => showStage(terminal, event))).result
  })
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(result)}\n` : mergedTable(result))
  return exitCode.done
}

function mergedTable({ model, saes, parts, tokens, counted, sequences, inMirror, file }: HarvestMergeResult): string {
  return `${[
    `${model.name}  ${number(parts)} parts: ${number(tokens)} tokens, ${number(counted)} of them counted, in ${number(sequences)} sequences`,
    '',
    saeTable(saes),
    '',
    ...(inMirror ? ['The sources are in the mirror: splice feature MODEL/SOURCE/INDEX shows a feature.'] : []),
    ...(file === null ? [] : [`kept in ${file}`])
  ].join('\n')}\n`
}
