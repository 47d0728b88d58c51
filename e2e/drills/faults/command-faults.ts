/** The command line under faults: exit codes and messages as documented, nothing half-written, no process left. */
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { demo, splice } from '../../splice-command.ts'
import { inferenceOf, saysOneLine, watchCommand } from '../command.ts'
import { type Drill, must, needsLinux, needsRoot } from '../drill.ts'
import { until } from '../patience.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { longIds, prompt } from '../standing.ts'

const ids = longIds.join(',')
const runArgs = ['run', '--model', demo.model, '--sae', demo.sae, '--ids', ids, '--json']

/** A home into which the demo is imported. */
async function readyHome(folder: string): Promise<string> {
  const home = path.join(folder, 'home')
  const { code, stderr } = await splice(['search', 'time', '--json'], { home })
  must(code === 0, `the home is not made: ${stderr}`)
  return home
}

/** Throws unless a plain run works in the home. */
async function works(home: string): Promise<void> {
  const { code, stderr } = await splice(['run', '--model', demo.model, '--prompt', prompt, '--json'], { home })
  must(code === 0 && stderr === '', `the next command: ${code} ${stderr}`)
}

export const commandInferenceKilled: Drill = {
  name: 'command-inference-killed',
  fault: 'Command line: inference process killed in `splice run` and `splice generate`',
  times: 16,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const home = await readyHome(folder)
    return {
      async attempt(round) {
        const save = path.join(folder, `out-${round}.safetensors`)
        const generate = ['generate', '--model', demo.model, '--prompt', 'Once upon a time', '--max-new-tokens', '400']
        const command = watchCommand(round % 2 === 0 ? [...runArgs, '--save', save] : generate, { home })
        await until(
          () => inferenceOf(command) !== null,
          () => 'no inference process was started'
        )
        await wait(random() * 400)
        const inference = inferenceOf(command)
        if (inference !== null) process.kill(inference, round % 4 < 2 ? 'SIGKILL' : 'SIGABRT')
        const outcome = await command.ended
        // Killed before it was asked for anything, another one has done the work.
        if (outcome.code !== 0) {
          saysOneLine(outcome, 1, /the inference process ended/)
          must(!fs.readdirSync(folder).some(name => name.startsWith(`out-${round}.`)), 'a half-written file is left')
        }
        fs.rmSync(save, { force: true })
        await command.leavesNothing()
        await works(home)
      },
      close: async () => undefined
    }
  }
}

export const commandInterrupted: Drill = {
  name: 'command-interrupted',
  fault: 'Command line: Ctrl-C at random moments of run --save, generate, import, search, eval, serve',
  times: 24,
  quick: 1,
  unable: needsLinux,
  async open({ folder, random }) {
    const home = await readyHome(folder)
    const rows = path.join(folder, 'rows.jsonl')
    const row = (index: number) =>
      JSON.stringify({ id: `r${index}`, modelId: 'm', layer: 'l', index: String(index), description: `d ${index}` })
    fs.writeFileSync(rows, Array.from({ length: 100_000 }, (_, index) => row(index)).join('\n'))
    const text = path.join(folder, 'text.txt')
    fs.writeFileSync(text, 'Once upon a time there was a wormhole. '.repeat(400))
    return {
      async attempt(round) {
        const out = path.join(folder, `out-${round}`)
        fs.mkdirSync(out)
        const commands = [
          [...runArgs, '--save', path.join(out, 'hooks.safetensors')],
          ['generate', '--model', demo.model, '--prompt', 'Once', '--max-new-tokens', '400'],
          ['import', rows, '--db', path.join(folder, `mirror-${round}.sqlite`), '--json'],
          ['eval', '--model', demo.model, '--sae', demo.sae, '--text', text, '--json'],
          ['search', 'e', '--facets', '--json'],
          ['serve', '--no-open']
        ]
        const command = watchCommand(commands[round % commands.length] ?? [], { home })
        await wait(150 + random() * 1500)
        command.interrupt()
        const { code, stdout, stderr } = await command.ended
        const isDone = code === 0 && stdout !== ''
        // No code: the signal came before anyone could hear it.
        must(isDone || code === 130 || code === null, `it ended with ${code}: ${stderr}`)
        if (!isDone) must(stderr === '' && (stdout === '' || stdout.startsWith('http')), `it said: ${stderr}${stdout.slice(0, 100)}`)
        await command.leavesNothing()
        const left = fs.readdirSync(out)
        must(left.length === 0 || (left.length === 1 && left[0] === 'hooks.safetensors'), `files are left: ${left.join(', ')}`)
        fs.rmSync(out, { recursive: true })
        await works(home)
      },
      close: async () => undefined
    }
  }
}

export const commandDiskFull: Drill = {
  name: 'command-disk-full',
  fault: 'Command line: disk full under run --save, import, diagnostics --out',
  times: 9,
  quick: 0,
  unable: needsRoot,
  async open({ folder }) {
    const home = await readyHome(folder)
    const disk = mountSmallDisk(path.join(folder, 'disk'), 8)
    const rows = path.join(folder, 'rows.jsonl')
    const row = (index: number) =>
      JSON.stringify({ id: `r${index}`, modelId: 'm', layer: 'l', index: String(index), description: `d ${index}` })
    fs.writeFileSync(rows, Array.from({ length: 100_000 }, (_, index) => row(index)).join('\n'))
    return {
      async attempt(round) {
        const at = (name: string) => path.join(disk.folder, name)
        const kind = round % 3
        if (kind === 0) saysOneLine(await splice([...runArgs, '--save', at('hooks.safetensors')], { home }), 2, /hooks\.safetensors/)
        if (kind === 1) saysOneLine(await splice(['import', rows, '--db', at('mirror.sqlite'), '--json'], { home }), 2, /mirror\.sqlite/)
        if (kind === 2) {
          disk.fill()
          saysOneLine(await splice(['diagnostics', '--out', at('about.txt')], { home }), 2, /about\.txt/)
          disk.free()
        }
        const left = fs.readdirSync(disk.folder).filter(name => !name.startsWith('mirror.sqlite'))
        must(left.length === 0, `files are left: ${left.join(', ')}`)
        for (const name of fs.readdirSync(disk.folder)) fs.rmSync(at(name))
        await works(home)
      },
      close: async () => disk.unmount()
    }
  }
}

export const commandDatabaseLocked: Drill = {
  name: 'command-database-locked',
  fault: 'Command line: mirror and history locked by another process',
  times: 4,
  quick: 0,
  unable: needsLinux,
  async open({ folder }) {
    const home = await readyHome(folder)
    await works(home)
    const rows = path.join(folder, 'rows.jsonl')
    return {
      async attempt(round) {
        fs.writeFileSync(rows, JSON.stringify({ id: `locked-${round}`, modelId: 'm', layer: 'l', index: '1', description: 'd' }))
        const locks = ['mirror.sqlite', 'runs.sqlite'].map(name => new Sqlite(path.join(home, name)))
        for (const lock of locks) lock.exec('BEGIN IMMEDIATE')
        try {
          const searched = await splice(['search', 'time', '--json'], { home })
          must(searched.code === 0, `a search beside a writer: ${searched.code} ${searched.stderr}`)
          saysOneLine(await splice(['import', rows, '--json'], { home }), 2, /mirror\.sqlite.*another Splice/)
          const run = await splice(['run', '--model', demo.model, '--prompt', prompt, '--json'], { home })
          must(run.code === 0 && /runs\.sqlite/.test(run.stderr), `a run that cannot be kept: ${run.code} ${run.stderr}`)
        } finally {
          for (const lock of locks) lock.close()
        }
        await works(home)
      },
      close: async () => undefined
    }
  }
}
