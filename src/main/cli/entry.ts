/**
 * `splice` on the command line: picks the command, turns what goes wrong into one line and an exit code.
 * Commands are imported when they are asked for, so that help and version come at once.
 */
import packageJson from '../../../package.json' with { type: 'json' }
import { type Command, commandHelp, commands, programHelp } from './help.ts'
import { processTerminal, type Terminal } from './terminal.ts'

/** How long a command may take to wind up after Ctrl-C, in ms. */
const windUpMs = 3000

const interruption = new AbortController()
const terminal = processTerminal(interruption.signal)
process.on('SIGINT', () => interrupt(130))
process.on('SIGTERM', () => interrupt(143))
process.exitCode = await main(process.argv.slice(2), terminal)
// What a command left open (a pool, a pipe to a process that is ending) must not keep the shell waiting.
process.exit()

async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = argv
  const beforeDashes = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  try {
    if (first === '--help' || first === '--version') {
      if (rest[0] !== undefined) return await refuse(`${first} takes no argument ${JSON.stringify(rest[0])}.`, `Write splice ${first}.`)
      await terminal.print(first === '--help' ? programHelp : `${packageJson.version}\n`)
      return 0
    }
    if (first === undefined)
      return await refuse('No command is given.', `Name one: ${commands.join(', ')}; splice --help tells about them.`)
    const command = commands.find(name => name === first)
    if (command === undefined) return await refuse(`${JSON.stringify(first)} is no command.`, `The commands are ${commands.join(', ')}.`)
    if (beforeDashes.includes('--help')) {
      await terminal.print(commandHelp[command])
      return 0
    }
    return await start(command, rest, terminal)
  } catch (thrown) {
    if (interruption.signal.aborted) return Number(interruption.signal.reason)
    const { errorDataOf, errorLine, exitCodeOf } = await import('./exit.ts')
    const error = errorDataOf(thrown)
    terminal.note(errorLine(error))
    if (!error.mistake && process.env.SPLICE_DEBUG !== undefined && thrown instanceof Error) terminal.note(thrown.stack ?? '')
    return exitCodeOf(error)
  }
}

async function start(command: Command, argv: readonly string[], terminal: Terminal): Promise<number> {
  switch (command) {
    case 'run':
      return (await import('./run.ts')).run(argv, terminal)
    case 'check-sae':
      return (await import('./check-sae.ts')).checkSae(argv, terminal)
    case 'test-prompt':
      return (await import('./test-prompt.ts')).testPrompt(argv, terminal)
    case 'generate':
      return (await import('./generate.ts')).generate(argv, terminal)
    case 'logit-lens':
      return (await import('./logit-lens.ts')).logitLens(argv, terminal)
    case 'attribute':
      return (await import('./attribute.ts')).attribute(argv, terminal)
    case 'patch':
      return (await import('./patch.ts')).patch(argv, terminal)
    case 'hooks':
      return (await import('./hooks.ts')).hooks(argv, terminal)
    case 'eval':
      return (await import('./eval.ts')).evaluate(argv, terminal)
    case 'harvest':
      return (await import('./harvest.ts')).harvest(argv, terminal)
    case 'inspect':
      return (await import('./inspect.ts')).inspect(argv, terminal)
    case 'import':
      return (await import('./import.ts')).importExplanations(argv, terminal)
    case 'sync':
      return (await import('./sync.ts')).sync(argv, terminal)
    case 'search':
      return (await import('./search.ts')).search(argv, terminal)
    case 'sources':
      return (await import('./sources.ts')).sources(argv, terminal)
    case 'feature':
      return (await import('./feature.ts')).feature(argv, terminal)
    case 'similar':
      return (await import('./similar.ts')).similar(argv, terminal)
    case 'mirror':
      return (await import('./mirror.ts')).mirror(argv, terminal)
    case 'runs':
      return (await import('./runs.ts')).runs(argv, terminal)
    case 'library':
      return (await import('./library.ts')).library(argv, terminal)
    case 'releases':
      return (await import('./releases.ts')).releases(argv, terminal)
    case 'download':
      return (await import('./download.ts')).download(argv, terminal)
    case 'doctor':
      return (await import('./doctor.ts')).doctor(argv, terminal)
    case 'diagnostics':
      return (await import('./diagnostics.ts')).diagnostics(argv, terminal)
    case 'serve':
      return (await import('./serve.ts')).serve(argv, terminal)
  }
}

async function refuse(message: string, hint: string): Promise<number> {
  const { errorLine, exitCode } = await import('./exit.ts')
  terminal.note(errorLine({ kind: 'cli/usage', message, hint, mistake: true }))
  return exitCode.mistake
}

function interrupt(code: number): void {
  // A second Ctrl-C means now.
  if (interruption.signal.aborted) process.exit(code)
  interruption.abort(code)
  setTimeout(() => process.exit(code), windUpMs).unref()
}
