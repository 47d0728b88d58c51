/** `splice releases`: what is published, what of it is on this disk, and a newer table of it. */
import { resolve } from 'node:path'
import type { PublishedSae, ReleaseSummary, ReleaseTable } from '../../contract/releases.ts'
import { aligned } from './aligned.ts'
import { type Grammar, mistake, readArguments, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import { scanned } from './library.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'releases',
  flags: ['json', 'reset'],
  values: ['model', 'update', 'db'],
  lists: [],
  operand: null,
  operands: 'none'
}

/** Runs the command. Throws for a model of which nothing is published, and for a table that cannot be read. */
export async function releases(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const model = args.values.get('model')
  const update = args.values.get('update')
  if (update !== undefined && args.flags.has('reset')) throw mistake('--reset', '--update and --reset are both given.', 'Give one of them.')
  if (update === '' || model === '') {
    const option = update === '' ? '--update' : '--model'
    throw mistake(option, `${option} is empty.`, `Give it a value, or leave ${option} out.`)
  }
  const { table, saes } = await withEngine({ db: readDb(args) }, async client => {
    if (args.flags.has('reset')) await client.releases.reset()
    if (update !== undefined) {
      const source = update === 'online' ? ({ kind: 'online' } as const) : ({ kind: 'path', path: resolve(update) } as const)
      await client.releases.update(source, { signal: terminal.signal })
    }
    await scanned(client, terminal)
    return { saes: await client.releases.saes({ model }), table: await client.releases.list() }
  })
  const named = new Set(saes.flatMap(sae => sae.names.map(name => name.release)))
  const shown = { ...table, releases: table.releases.filter(({ release }) => named.has(release)) }
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(jsonOf(shown, saes))}\n` : listOf(shown))
  return exitCode.done
}

/** Each release with its SAEs under their ids in it. */
function jsonOf({ catalogue, releases: summaries }: ReleaseTable, saes: readonly PublishedSae[]): object {
  const byRelease = new Map<string, object[]>()
  for (const sae of saes) {
    const { names, diskPath, traps, repo: _, family: __, format: ___, ...facts } = sae
    for (const { release, saeId } of names) {
      const entry = { id: saeId, ...facts, onDisk: diskPath !== null, diskPath, traps: traps.map(trap => trap.id) }
      byRelease.set(release, [...(byRelease.get(release) ?? []), entry])
    }
  }
  const entries = summaries.map(({ saes: _, withSource: __, onDisk: ___, explained: ____, traps, ...release }) => ({
    ...release,
    traps: traps.map(trap => trap.id),
    saes: byRelease.get(release.release) ?? []
  }))
  return { ...catalogue, releases: entries }
}

function listOf({ catalogue, releases: summaries }: ReleaseTable): string {
  const some = (count: number) => (count === 0 ? '-' : String(count))
  const rows = summaries.map((release: ReleaseSummary) => [
    release.release,
    release.model,
    String(release.saes),
    some(release.withSource),
    some(release.explained),
    some(release.onDisk),
    release.repo
  ])
  const header = ['release', 'model', 'SAEs', 'sources', 'explained', 'on disk', 'repository']
  const { origin, asOf, skipped } = catalogue
  const from =
    origin.kind === 'shipped'
      ? 'the table that came with Splice'
      : `${origin.from}${origin.version === null ? '' : ` of sae_lens ${origin.version}`}`
  const lines = [
    aligned([header, ...rows], new Set([0, 1, 6])),
    '',
    `As of ${asOf}, ${from}. Sources are Neuronpedia's; explained are those with explanations in the mirror. --json has every SAE.`,
    ...skipped.map(({ release, why }) => `Not read: ${release} (${why})`)
  ]
  return `${lines.join('\n')}\n`
}
