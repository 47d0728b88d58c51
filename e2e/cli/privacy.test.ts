/** A whole session asks the network for nothing: every socket of every process is watched, and every name that one would look up. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { Host } from '../drills/host.ts'
import { descendantsOf } from '../drills/processes.ts'
import { demoRun, runOn } from '../drills/standing.ts'
import { beyondLoopback, type OpenSocket, socketsOf } from '../sockets.ts'

const folder = temporaryFolder()
const watch = pathToFileURL(join(root, 'e2e/network-watch.mjs')).href

/** An environment in which every process of ours writes down whom it asks for. */
function watched(name: string) {
  const log = join(folder, `${name}.log`)
  writeFileSync(log, '')
  const read = () => readFileSync(log, 'utf8').trim().split('\n')
  return {
    env: { SPLICE_NETWORK_LOG: log, NODE_OPTIONS: `--import=${watch}`, HF_HUB_OFFLINE: '', HF_ENDPOINT: '' },
    // Threads are watched too.
    processes: () => new Set(read().filter(line => line.startsWith('watched '))).size,
    asked: () => read().filter(line => !/^watched |^(connect|lookup) (127\.0\.0\.1|::1|localhost)$/.test(line))
  }
}

/** Looks at the sockets of a process and those below it every few ms, until it is told to stop; gives those that are not loopback's. */
function lookAtSockets(id: number): () => OpenSocket[] {
  const found: OpenSocket[] = []
  const look = () => found.push(...beyondLoopback(socketsOf([id, ...descendantsOf(id).map(process => process.id)])))
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    look()
    return found
  }
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

describe.runIf(process.platform === 'linux')('the network', () => {
  test('is asked for nothing in a session of the workbench', async () => {
    const { env, processes, asked } = watched('host')
    const home = join(folder, 'home')
    const host = await Host.start(home, env)
    const found = lookAtSockets(host.id)
    try {
      const client = await host.client()
      const { keptAs } = await runOn(client, demoRun())
      await client.library.workspace()
      await client.library.openModel({ path: demo.model })
      await client.library.openSae({ path: demo.sae, model: demo.model })
      await drain(await client.library.scan({}))
      await client.library.recent()
      await client.releases.list()
      await client.releases.saes({ model: 'gemma-2-2b' })
      await client.releases.installed({})
      await client.explanations.search({ query: 'time' })
      await drain(await client.explanations.importFiles({ paths: [demo.explanations] }))
      await client.explanations.feature({ source: 'demo-gemma2-tiny/2-demo-scope-res-1k', index: 1 })
      await drain(await client.hooks.list({ run: demoRun({ keep: false }), variant: 'spliced', against: 'clean' }))
      await drain(
        await client.runs.generate({
          model: demo.model,
          prompt: { text: 'Once' },
          variants: [{ name: 'clean', splices: [] }],
          maxNewTokens: 3
        })
      )
      await drain(
        await client.runs.checkSae({ model: demo.model, sae: { name: 'sae1', path: demo.sae }, prompt: { text: 'Once upon a time' } })
      )
      await client.engine.changeSettings({ topK: 5 })
      await client.engine.settingsReport()
      await client.engine.diagnostics()
      await client.engine.about()
      await client.notebook.writeNote({ source: 'a/b', index: 1, text: 'a note' })
      await client.history.open({ id: keptAs ?? '' })
      await client.downloads.token()
      await drain(await client.mirror.check())
    } finally {
      await host.close()
    }
    // Host, engine and inference process; /proc saw the host listen on loopback, and nothing else.
    expect(processes()).toBe(3)
    expect(asked()).toEqual([])
    expect(found()).toEqual([])
  })

  test('is asked for nothing by commands', async () => {
    const { env, asked } = watched('commands')
    const home = join(folder, 'commands')
    const runs = [
      ['run', '--model', demo.model, '--sae', demo.sae, '--prompt', 'Once upon a time', '--json'],
      ['search', 'time'],
      ['diagnostics']
    ]
    for (const args of runs) expect(await splice(args, { home, env })).toMatchObject({ code: 0, stderr: '' })
    expect(asked()).toEqual([])
  })

  test('would be seen to be asked', async () => {
    const { env, asked } = watched('control')
    const program = `
      import net from 'node:net'
      import dns from 'node:dns'
      fetch('http://192.0.2.1:8080/').catch(() => undefined)
      dns.lookup('splice.invalid', () => undefined)
      net.createServer().listen(0, '0.0.0.0', () => console.log('listens'))
      setTimeout(() => process.exit(), 60000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const found = lookAtSockets(child.pid ?? 0)
    await once(child.stdout, 'data')
    await expect.poll(asked, { timeout: 20_000 }).toEqual(expect.arrayContaining(['connect 192.0.2.1', 'lookup splice.invalid']))
    expect(found().some(({ local }) => /^0+$/.test(local))).toBe(true)
    child.kill('SIGKILL')
  })
})
