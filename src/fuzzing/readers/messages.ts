/** Readers of what clients send: frames of a WebSocket or a window's port, and requests of the HTTP API, for every procedure. */
import { isContractProcedure } from '@orpc/contract'
import { type AnyRouter, implement, ORPCError } from '@orpc/server'
import { SpliceError } from '../../contract/errors.ts'
import { contract } from '../../contract/index.ts'
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

export function framesReader(): Reader {
  const answers = new Map<string, Envelope[]>()
  const implementer = implement(contract) as unknown as Tree
  const peers = new Peers(answeringRouter(contract, implementer), message => {
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
