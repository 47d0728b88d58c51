/** Readers of what clients send: frames of a WebSocket or a window's port, and requests of the HTTP API, for every procedure. */
import { once } from 'node:events'
import http from 'node:http'
import { isContractProcedure } from '@orpc/contract'
import { type AnyRouter, implement, ORPCError } from '@orpc/server'
import { SpliceError } from '../../contract/errors.ts'
import { contract } from '../../contract/index.ts'
import { Access } from '../../main/browser-host/access.ts'
import { HttpApi } from '../../main/browser-host/api/http-api.ts'
import type { Envelope } from '../../main/engine/envelope.ts'
import { Peers } from '../../main/engine/peers.ts'
import type { Draws } from '../draws.ts'
import { jsonText, mutateBytes, mutateValue } from '../mutations.ts'
import type { Reader } from '../reader.ts'

type Tree = { readonly [name: string]: unknown }
interface Implementer {
  handler(answer: () => never): AnyRouter
}

/** The whole contract, each procedure of which answers that it was asked. */
function answeringRouter(part: Tree, implementer: Tree): AnyRouter {
  return Object.fromEntries(
    Object.entries(part).map(([name, child]) => {
      if (!isContractProcedure(child)) return [name, answeringRouter(child as Tree, implementer[name] as Tree)]
      const answer = () => {
        const data = new SpliceError('test/asked', `${name} was asked`).toData()
        throw new ORPCError('SPLICE', { defined: true, status: 422, message: data.message, data })
      }
      return [name, (implementer[name] as Implementer).handler(answer)]
    })
  )
}

/** Paths of all procedures, as they stand in a request. */
export function procedurePaths(part: Tree = contract, before = ''): string[] {
  return Object.entries(part).flatMap(([name, child]) =>
    isContractProcedure(child) ? [`${before}/${name}`] : procedurePaths(child as Tree, `${before}/${name}`)
  )
}

const paths = procedurePaths()
const sae = { name: 'res', path: '/s' }
const runFields = {
  model: '/m',
  saes: [sae],
  prompt: { text: 'x', prependBos: true },
  variants: [{ name: 'clean', splices: [{ sae: 'res' }], edits: [] }]
}
/** Inputs of procedures, near enough to most. */
export const inputs: readonly unknown[] = [
  runFields,
  { ...runFields, answers: [{ text: 'a' }], topK: 10 },
  { ...runFields, maxNewTokens: 5, temperature: 0.5, seed: 1 },
  { path: '/m', hook: 'blocks.0.hook_resid_post', normFactor: 1 },
  { query: 'e', limit: 5, mode: 'literal', source: 'm/s', explainers: ['x'] },
  { source: 'm/s', index: 1 },
  { id: 'a', name: 'n', prompt: { ids: [1, 2] } },
  { list: 1, features: [{ source: 'm/s', index: 1 }] },
  { paths: ['/x'], embeddings: true },
  { model: '/m', prompt: { chat: [{ role: 'user', content: 'x' }], addGenerationPrompt: true } },
  { theme: 'dark', panes: { a: { size: 1, collapsed: true } } }
]

/** A frame as oRPC's client writes it: id, type, and what is asked, with the places of what JSON has no words for. */
function drawnFrame(draws: Draws): Buffer {
  const meta = Array.from({ length: draws.below(3) }, () => [
    draws.pick([0, 1, 2, 3, 4, 5, 6, 7, -1, 99]),
    ...draws.pick([['model'], ['__proto__'], ['constructor', 'prototype'], ['prompt', 'text'], ['saes', 0], ['a', 'b', 'c'], []])
  ])
  const asked = { json: mutateValue(draws, draws.pick(inputs)), ...(meta.length > 0 ? { meta } : {}) }
  const message = {
    i: draws.pick(['1', '2', 1, '', '__proto__']),
    ...(draws.chance(0.3) ? { t: draws.pick([1, 2, 3, 4, 0, -1, 'x']) } : {}),
    p: {
      u: draws.pick(paths),
      b: asked,
      ...(draws.chance(0.1) ? { m: draws.pick(['GET', 'DELETE', '', 7]) } : {}),
      ...(draws.chance(0.1)
        ? { h: draws.pick([{ 'content-type': 'multipart/form-data; boundary=x' }, { 'content-disposition': 'x' }, 7]) }
        : {})
    }
  }
  return Buffer.from(jsonText(draws, draws.chance(0.3) ? mutateValue(draws, message) : message))
}

const valid = Buffer.from(JSON.stringify({ i: '1', p: { u: '/engine/status', b: { json: {} } } }))

/** An engine that answers to every procedure that it was asked. */
function answeringPeers(send: (message: Envelope) => void): Peers {
  return new Peers(answeringRouter(contract, implement(contract) as unknown as Tree), send)
}

export function framesReader(): Reader {
  const answers = new Map<string, Envelope[]>()
  const peers = answeringPeers(message => {
    answers.set(message.connection, [...(answers.get(message.connection) ?? []), message])
  })
  let count = 0
  const turn = () => new Promise(resolve => setImmediate(resolve))

  /** What comes back for some frames, when nothing more comes. */
  async function exchange(frames: readonly unknown[]): Promise<Envelope[]> {
    count += 1
    const connection = `c${count}`
    peers.receive({ connection, kind: 'open' })
    for (const data of frames) peers.receive({ connection, kind: 'frame', data })
    for (let waited = 0; waited < 12; waited++) await turn()
    peers.receive({ connection, kind: 'close' })
    const sent = answers.get(connection) ?? []
    answers.delete(connection)
    return sent
  }

  return {
    name: 'frames of the contract',
    hasNoFile: true,
    async prepare(draws) {
      const frames = Array.from({ length: 1 + draws.below(3) }, (): unknown => {
        const bytes = draws.chance(0.75) ? drawnFrame(draws) : mutateBytes(draws, draws.chance(0.5) ? valid : drawnFrame(draws))
        const made = draws.fraction()
        if (made < 0.8) return bytes.toString('utf8')
        if (made < 0.95) return new Uint8Array(bytes)
        // What a window's port can carry and no frame is.
        return draws.pick<unknown>([7, null, { a: 1 }, ['x'], new Map(), new Date(), [[[]]], Symbol.iterator.description])
      })
      return async () => {
        for (const { kind, data } of await exchange(frames)) {
          const text = typeof data === 'string' ? data : Buffer.from((data ?? '') as Uint8Array).toString('utf8')
          if (kind === 'frame' && /INTERNAL_SERVER_ERROR|TypeError|RangeError/.test(text))
            throw new Error(`a frame was answered with ${text.slice(0, 500)}`)
        }
      }
    },
    async finish() {
      const [answer] = await exchange([valid.toString('utf8')])
      if (!String(answer?.data).includes('test/asked'))
        throw new Error(`after all, a good frame is answered with ${JSON.stringify(answer)}`)
    }
  }
}

/** A request of the HTTP API, its parts now and then others than it wants. */
function drawnRequest(draws: Draws, token: string): { target: string; options: http.RequestOptions; body: Buffer } {
  const other = () =>
    draws.pick(['/', '//', '/..', '/%2e%2e', '/%', '/%00', '?a[0][0]=1', '?__proto__[x]=1', '/openapi.json', '?data={"a":1}'])
  const target = `/api${draws.pick(paths)}${draws.chance(0.15) ? other() : ''}`
  const kinds = [
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-7',
    'x'
  ]
  const text = draws.chance(0.2)
    ? draws.pick(['--x\r\nContent-Disposition: form-data; name="__proto__[a]"\r\n\r\n1\r\n--x--', 'a[b][c]=1&__proto__[d]=1', '{"a":1'])
    : jsonText(draws, mutateValue(draws, draws.pick(inputs)))
  const body = draws.chance(0.2) ? mutateBytes(draws, Buffer.from(text)) : Buffer.from(text)
  const headers: http.OutgoingHttpHeaders = {
    Authorization: `Bearer ${token}`,
    'Content-Type': draws.chance(0.7) ? 'application/json' : draws.pick(kinds),
    ...(draws.chance(0.1) ? { 'Content-Encoding': draws.pick(['gzip', 'br', 'x']) } : {}),
    ...(draws.chance(0.1) ? { 'Content-Disposition': draws.pick(['attachment; filename="x"', 'x', 'attachment; filename*=utf-8%%']) } : {}),
    ...(draws.chance(0.3) ? { Accept: 'application/json' } : {})
  }
  return {
    target,
    options: { method: draws.chance(0.8) ? 'POST' : draws.pick(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']), headers },
    body
  }
}

/** What answers may say: never that something broke inside. */
const plainStatuses = new Set([200, 400, 404, 405, 411, 413, 415, 422])

export function requestsReader(): Reader {
  let port: Promise<number> | null = null
  const access = new Access()

  /** The API over an engine that answers, on a port of its own. */
  async function listen(): Promise<number> {
    const receivers = new Map<string, (message: Envelope) => void>()
    const peers = answeringPeers(message => receivers.get(message.connection)?.(message))
    const api = new HttpApi(
      {
        connect(connection, receive) {
          receivers.set(connection, receive)
          peers.receive({ connection, kind: 'open' })
          return true
        },
        send: message => peers.receive(message)
      },
      access
    )
    const server = http.createServer((request, response) => void api.serve(request, response))
    server.listen(0, '127.0.0.1').unref()
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async function ask(target: string, options: http.RequestOptions, body: Buffer): Promise<{ status: number; text: string }> {
    port ??= listen()
    const request = http.request({ ...options, host: '127.0.0.1', port: await port, path: target, agent: false })
    request.end(body)
    // A refusal may come, and the connection go, before all of the body is sent.
    const answered = once(request, 'response').catch(() => null)
    const response: unknown = (await answered)?.[0]
    request.on('error', () => undefined)
    if (!(response instanceof http.IncomingMessage)) return { status: 400, text: 'the connection was closed' }
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode ?? 0, text }
  }

  return {
    name: 'requests of the HTTP API',
    hasNoFile: true,
    async prepare(draws) {
      const { target, options, body } = drawnRequest(draws, access.token)
      return async () => {
        const { status, text } = await ask(target, options, body)
        if (!plainStatuses.has(status)) throw new Error(`${options.method} ${target} is answered with ${status}: ${text.slice(0, 300)}`)
        if (status !== 200 && status !== 422) throw new SpliceError(`http/${status}`, text)
      }
    },
    async finish() {
      const { text } = await ask(
        '/api/engine/status',
        { method: 'POST', headers: { Authorization: `Bearer ${access.token}` } },
        Buffer.alloc(0)
      )
      if (!text.includes('test/asked')) throw new Error(`after all, a good request is answered with ${text}`)
    }
  }
}
