import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { Contract } from '../../contract/index.ts'
import { type EngineDeath, EngineSupervisor, type SupervisorOptions } from './supervisor.ts'

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-supervisor-'))
process.env.SPLICE_HOME = home
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

const endings: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

type Client = ContractRouterClient<Contract>

/** A supervised engine, with what it said of itself so far. */
function supervise(options: Partial<SupervisorOptions> = {}) {
  const seen = { ready: 0, deaths: [] as EngineDeath[] }
  let wake = () => {}
  const supervisor = new EngineSupervisor({
    node: process.execPath,
    ...options,
    onReady: () => {
      seen.ready += 1
      wake()
    },
    onDeath: death => {
      seen.deaths.push(death)
      wake()
    }
  })
  endings.push(() => supervisor.close())
  supervisor.start()
  const until = async (isSo: () => boolean) => {
    while (!isSo()) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  const connect = (connection: string) => {
    const { port1, port2 } = new MessageChannel()
    endings.push(() => port1.close())
    const line = { closed: false }
    const isConnected = supervisor.connect(connection, ({ kind, data }) => {
      if (kind === 'frame') port2.postMessage(data)
      else {
        line.closed = true
        port2.close()
        wake()
      }
    })
    port2.on('message', data => supervisor.send({ connection, kind: 'frame', data }))
    const client: Client = createORPCClient(new RPCLink({ port: port1 }))
    port1.start()
    return { client, line, isConnected }
  }
  return { supervisor, seen, until, connect }
}

test('a killed engine is replaced: its connections are closed, a new one answers', async () => {
  const { supervisor, seen, until, connect } = supervise()
  const first = connect('first')
  const before = (await first.client.engine.status()).engineProcess
  expect(before).toBe(supervisor.processId)
  const unanswered = first.client.engine.watch().then(async events => {
    for await (const _ of events);
  })
  const fails = expect(unanswered).rejects.toThrow()
  process.kill(before, 'SIGKILL')
  await until(() => first.line.closed && seen.ready === 2)
  await fails
  expect(seen.deaths).toEqual([{ reason: 'SIGKILL', error: undefined, isFinal: false }])
  const second = connect('second')
  const after = (await second.client.engine.status()).engineProcess
  expect(after).toBe(supervisor.processId)
  expect(after).not.toBe(before)
})

test('an engine that cannot open says why, once, and is not started again', async () => {
  const db = path.join(home, 'not-a-mirror.txt')
  fs.writeFileSync(db, 'These are words, and no SQLite database; long enough for a header. '.repeat(20))
  const { supervisor, seen, until, connect } = supervise({ db })
  await until(() => seen.deaths.length > 0)
  expect(seen).toMatchObject({ ready: 0, deaths: [{ isFinal: true, error: { mistake: true, file: db } }] })
  expect(seen.deaths[0]!.reason).toContain(db)
  expect(supervisor.processId).toBeNull()
  expect(connect('late').isConnected).toBe(false)
})

test('an engine that keeps dying is given up', async () => {
  const { seen, until } = supervise({ node: path.join(home, 'no-node-here') })
  await until(() => seen.deaths.some(death => death.isFinal))
  expect(seen.deaths.map(death => death.isFinal)).toEqual([false, false, false, false, true])
  expect(seen.deaths[4]!.reason).toContain('ENOENT')
})

test('closing ends the engine', async () => {
  const { supervisor, seen, until } = supervise()
  await until(() => seen.ready === 1)
  const id = supervisor.processId!
  await supervisor.close()
  expect(() => process.kill(id, 0)).toThrow('ESRCH')
  expect(seen.deaths).toEqual([])
})
