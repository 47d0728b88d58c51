import { once } from 'node:events'
import v8 from 'node:v8'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'
import { os, type RouterClient } from '@orpc/server'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { relaySocket } from '../browser-host/relay.ts'
import type { Envelope } from './envelope.ts'
import { Peers } from './peers.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

/** A router whose work can be watched: `running` holds the names of what is under way. */
function watchedRouter() {
  const running = new Set<string>()
  let wake = () => {}
  const router = {
    add: os.input(z.object({ a: z.number(), b: z.number() })).handler(({ input }) => input.a + input.b),
    count: os.input(z.object({ to: z.number() })).handler(async function* ({ input }) {
      for (let n = 1; n <= input.to; n += 1) yield n
      throw new Error('that was all')
    }),
    wait: os.input(z.object({ name: z.string() })).handler(async ({ input, signal }) => {
      running.add(input.name)
      wake()
      if (!signal?.aborted) await new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve()))
      running.delete(input.name)
      wake()
    }),
    tick: os.input(z.object({ name: z.string() })).handler(async function* ({ input }) {
      running.add(input.name)
      try {
        for (let n = 0; ; n += 1) {
          yield n
          await new Promise(resolve => setImmediate(resolve))
        }
      } finally {
        running.delete(input.name)
        wake()
      }
    }),
    reverse: os.input(z.instanceof(File)).handler(async ({ input }) => new File([(await input.bytes()).reverse()], input.name))
  }
  const until = async (isSo: () => boolean) => {
    while (!isSo()) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { router, running, until }
}

type Client = RouterClient<ReturnType<typeof watchedRouter>['router']>

/** What IPC with `serialization: 'advanced'` makes of a message. */
function overIpc(message: unknown): unknown {
  return v8.deserialize(v8.serialize(message))
}

/** Peers and, for each connection, a client on the other side of a message port. */
function wire(router: ReturnType<typeof watchedRouter>['router']) {
  const receivers = new Map<string, (message: Envelope) => void>()
  const peers = new Peers(router, message => receivers.get(message.connection)?.(overIpc(message) as Envelope))
  const connect = (connection: string) => {
    const { port1, port2 } = new MessageChannel()
    endings.push(() => port1.close())
    const held: unknown[] = []
    const line = { isHeld: false, closed: false, release: () => held.splice(0).forEach(message => void peers.receive(message)) }
    peers.receive({ connection, kind: 'open' })
    receivers.set(connection, ({ kind, data }) => {
      if (kind === 'frame') port2.postMessage(data)
      else line.closed = true
    })
    port2.on('message', data => {
      const message = overIpc({ connection, kind: 'frame', data })
      if (line.isHeld) held.push(message)
      else peers.receive(message)
    })
    const client: Client = createORPCClient(new PortLink({ port: port1 }))
    port1.start()
    return { client, line, held, close: () => peers.receive({ connection, kind: 'close' }) }
  }
  return { peers, receivers, connect }
}

test('two connections get their own answers', async () => {
  const { connect } = wire(watchedRouter().router)
  const [one, two] = [connect('one').client, connect('two').client]
  expect(await Promise.all([one.add({ a: 1, b: 2 }), two.add({ a: 3, b: 4 }), one.add({ a: 5, b: 6 })])).toEqual([3, 7, 11])
})

test('a stream keeps its order and ends with its error', async () => {
  const { client } = wire(watchedRouter().router).connect('one')
  const seen: number[] = []
  const read = async () => {
    for await (const n of await client.count({ to: 100 })) seen.push(n)
  }
  await expect(read()).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' })
  expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
})

test('a client that stops reading a stream ends the work behind it', async () => {
  const { router, running, until } = watchedRouter()
  const { client } = wire(router).connect('one')
  for await (const n of await client.tick({ name: 'left' })) if (n === 3) break
  await until(() => !running.has('left'))
})

test('an abort ends a request', async () => {
  const { router, running, until } = watchedRouter()
  const { client } = wire(router).connect('one')
  const abort = new AbortController()
  const answer = client.wait({ name: 'aborted' }, { signal: abort.signal })
  await until(() => running.has('aborted'))
  abort.abort()
  await expect(answer).rejects.toThrow()
  await until(() => !running.has('aborted'))
})

test('an abort that arrives in one gulp with its request is not lost', async () => {
  const { router, running, until } = watchedRouter()
  const { connect } = wire(router)
  const { client, line, held } = connect('one')
  line.isHeld = true
  const abort = new AbortController()
  const answer = client.wait({ name: 'gulp' }, { signal: abort.signal })
  const fails = expect(answer).rejects.toThrow()
  while (held.length < 1) await new Promise(resolve => setImmediate(resolve))
  abort.abort()
  while (held.length < 2) await new Promise(resolve => setImmediate(resolve))
  line.isHeld = false
  line.release()
  await fails
  await client.add({ a: 1, b: 1 })
  await until(() => !running.has('gulp'))
})

test('closing a connection ends its work and nobody else’s', async () => {
  const { router, running, until } = watchedRouter()
  const { peers, connect } = wire(router)
  const [one, two] = [connect('one'), connect('two')]
  one.client.wait({ name: 'of one' }).catch(() => undefined)
  two.client.wait({ name: 'of two' }).catch(() => undefined)
  await until(() => running.size === 2)
  one.close()
  await until(() => running.size === 1)
  expect([...running]).toEqual(['of two'])
  expect(peers.connections).toBe(1)
  expect(await two.client.add({ a: 2, b: 2 })).toBe(4)
})

test('a frame that cannot be read closes its connection alone', async () => {
  const { peers, connect } = wire(watchedRouter().router)
  const [one, two] = [connect('one'), connect('two')]
  peers.receive({ connection: 'one', kind: 'frame', data: '{"i":1' })
  while (!one.line.closed) await new Promise(resolve => setImmediate(resolve))
  expect(peers.connections).toBe(1)
  expect(await two.client.add({ a: 2, b: 2 })).toBe(4)
})

test('what is no envelope closes the connection that it is of, and ends nothing else', async () => {
  const { client } = wire(watchedRouter().router).connect('good')
  const sent: Envelope[] = []
  const peers = new Peers(watchedRouter().router, message => sent.push(message))
  peers.receive({ connection: 'one', kind: 'open' })
  for (const raw of ['frame', null, 7, {}, { connection: 'none', kind: 'frame', data: 7 }]) peers.receive(raw)
  expect([peers.connections, sent]).toEqual([1, []])
  peers.receive({ connection: 'one', kind: 'frame', data: { no: 'frame' } })
  expect([peers.connections, sent]).toEqual([0, [{ connection: 'one', kind: 'close' }]])
  expect(await client.add({ a: 1, b: 2 })).toBe(3)
})

const everyByte = Uint8Array.from({ length: 70_000 }, (_, index) => index)

test('bytes pass through a message port unchanged', async () => {
  const { client } = wire(watchedRouter().router).connect('one')
  const answer = await client.reverse(new File([everyByte], 'bytes'))
  expect(await answer.bytes()).toEqual(everyByte.toReversed())
})

test('bytes pass through a WebSocket unchanged', async () => {
  const { peers, receivers } = wire(watchedRouter().router)
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  endings.push(() => server.close())
  server.on('connection', socket =>
    relaySocket(socket, 'socket', {
      connect: (connection, receive) => {
        receivers.set(connection, receive)
        peers.receive({ connection, kind: 'open' })
        return true
      },
      send: message => peers.receive(overIpc(message))
    })
  )
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const socket = new WebSocket(`ws://127.0.0.1:${address.port}`)
  socket.binaryType = 'arraybuffer'
  endings.push(() => socket.terminate())
  const client: Client = createORPCClient(new SocketLink({ websocket: socket as unknown as globalThis.WebSocket }))
  const answer = await client.reverse(new File([everyByte], 'bytes'))
  expect(await answer.bytes()).toEqual(everyByte.toReversed())
  socket.close()
  while (peers.connections > 0) await new Promise(resolve => setImmediate(resolve))
})
