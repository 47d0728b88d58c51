/** Hook points as a window asks for them: over a port, in binary, cancelled and ended. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import v8 from 'node:v8'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { z } from 'zod'
import type { activationWindow, HookRequest } from '../../contract/hooks.ts'
import type { Contract } from '../../contract/index.ts'
import { runRequest } from '../../contract/run.ts'
import { golden, promptOf, tensorsOf, variantOf } from '../inference/golden/golden-data.ts'
import { createEngine, type Engine } from './engine.ts'
import type { Envelope } from './envelope.ts'
import { Peers } from './peers.ts'

let home: string
let engine: Engine
let client: ContractRouterClient<Contract>
let close: () => void
let request: HookRequest
const sae = { name: 'res', path: golden('saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13') }

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-hooks-'))
  engine = await createEngine({ home })
  const { port1, port2 } = new MessageChannel()
  // What IPC between host and engine makes of a message.
  const overIpc = (message: unknown) => v8.deserialize(v8.serialize(message))
  const peers = new Peers(engine.router, message => port2.postMessage((overIpc(message) as Envelope).data))
  port2.on('message', data => peers.receive(overIpc({ connection: 'window', kind: 'frame', data })))
  peers.receive({ connection: 'window', kind: 'open' })
  client = createORPCClient(new RPCLink({ port: port1 }))
  port1.start()
  close = () => port1.close()

  const { ids } = await promptOf('gemma2-tiny', 'p0')
  request = {
    run: runRequest.parse({
      model: golden('models/gemma2-tiny'),
      saes: [sae],
      prompt: { ids },
      variants: [
        { name: 'clean', splices: [] },
        { name: 'spliced', splices: [{ sae: 'res' }] },
        { name: 'with error', splices: [{ sae: 'res', errorTerm: true }] }
      ],
      processing: 'none',
      layerOrder: 'transformer-lens'
    }),
    variant: 'clean'
  }
})
afterAll(async () => {
  close?.()
  await engine?.close()
  await fs.rm(home, { recursive: true, force: true })
})

/** The last event of a stream; those before it are progress. */
async function lastOf<Event extends { type: string }>(events: AsyncIterable<Event>): Promise<Exclude<Event, { type: 'progress' }>> {
  const all: Event[] = []
  for await (const event of events) all.push(event)
  const last = all.pop()
  expect(all.every(event => event.type === 'progress')).toBe(true)
  if (last === undefined || last.type === 'progress') throw new Error('no result')
  return last as Exclude<Event, { type: 'progress' }>
}

const everything: z.input<typeof activationWindow> = { planes: [0, 99], rows: [0, 99], columns: [0, 999], mostRows: 999, mostColumns: 999 }

test('values come as the bytes of float32, masked scores included', async () => {
  const expected = await tensorsOf(golden('runs/gemma2-tiny/p0/no_processing.safetensors'))
  const hook = 'blocks.0.attn.hook_attn_scores'
  const { activation } = await lastOf(await client.hooks.open({ ...request, hook }))
  expect(activation.hook).toMatchObject({
    name: hook,
    shape: [1, 4, 17, 17],
    axes: ['batch', 'head', 'query', 'key'],
    bytes: 4 * 4 * 17 * 17
  })
  const answer = await client.hooks.values({ ...request, hook, window: { ...everything, planes: [2, 3] } })
  expect(answer).toMatchObject({
    whole: { planes: 4, rows: 17, columns: 17 },
    planes: [2, 3],
    rowsPerCell: 1,
    columnsPerCell: 1,
    norms: null
  })
  const values = new Float32Array(await answer.values.arrayBuffer())
  const head = expected.get(hook)?.data.subarray(2 * 17 * 17, 3 * 17 * 17) ?? new Float32Array(0)
  expect(values).toHaveLength(17 * 17)
  for (const [place, value] of head.entries()) {
    if (Number.isFinite(value)) expect(Math.abs(value - (values[place] ?? Number.NaN))).toBeLessThan(1e-3)
    else expect(values[place]).toBe(value)
  }
})

test('norms stand beside the values of a stream', async () => {
  const hook = 'blocks.3.hook_resid_post'
  const expected = await tensorsOf(golden('runs/gemma2-tiny/p0/no_processing.safetensors'))
  const window = { ...everything, mostColumns: 4 }
  const answer = await client.hooks.values({ ...request, hook, window })
  expect(answer).toMatchObject({ whole: { planes: 1, rows: 17, columns: 32 }, columnsPerCell: 8 })
  const norms = new Float32Array(await (answer.norms ?? new Blob()).arrayBuffer())
  const data = expected.get(hook)?.data ?? new Float32Array(0)
  expect([...norms].map((norm, at) => norm - Math.hypot(...data.subarray(at * 32, (at + 1) * 32)))).toEqual(
    [...norms].map(() => expect.closeTo(0, 3))
  )
})

test('what can be listed without running is what runs cache', async () => {
  const points = await client.hooks.points({ model: request.run.model, saes: [sae] })
  const cached = async (variant: string) => (await lastOf(await client.hooks.list({ ...request, variant }))).table.hooks
  const tokens = 17
  const shapeOf = (name: string) =>
    points.points.find(point => point.name === name)?.shape.map(size => (typeof size === 'string' ? tokens : size))
  const clean = await cached('clean')
  expect(clean.map(({ name }) => name)).toEqual(points.points.filter(point => point.sae === null).map(({ name }) => name))
  const withError = await cached('with error')
  expect(withError.map(({ name }) => name)).toEqual(points.points.filter(point => point.replacedBy.length === 0).map(({ name }) => name))
  const spliced = await cached('spliced')
  expect(spliced.map(({ name }) => name)).toEqual(
    points.points.filter(point => point.replacedBy.length === 0 && !point.errorTermOnly).map(({ name }) => name)
  )
  for (const { name, shape } of [...clean, ...withError]) expect(shape, name).toEqual(shapeOf(name))
})

test('a run saves some hooks of one variant, without logits where none are wanted', async () => {
  const file = path.join(home, 'some.safetensors')
  const names = ['blocks.1.hook_resid_post.hook_sae_acts_post', 'blocks.3.attn.hook_pattern']
  const variants = request.run.variants.filter(({ name }) => name === 'spliced')
  await lastOf(await client.runs.run({ ...request.run, variants, hooks: names, save: { file, logits: false } }))
  expect([...(await tensorsOf(file)).keys()]).toEqual(names.map(name => `spliced/${name}`))
})

test('a download is held while its stream is open, fetched in parts, and gone after it', async () => {
  const file = path.join(home, 'whole.safetensors')
  await lastOf(await client.runs.run({ ...request.run, save: { file, logits: false } }))
  const folder = path.join(home, 'cache', 'held-files')
  await fs.mkdir(folder, { recursive: true })
  await fs.writeFile(path.join(folder, '0-orphan.safetensors'), 'left behind')
  let held = ''
  for await (const event of await client.hooks.download({ run: request.run })) {
    if (event.type === 'progress') continue
    held = event.id
    expect(await fs.readdir(folder)).toHaveLength(1)
    const parts: Blob[] = []
    for (let offset = 0; offset < event.bytes; offset += 50_000) {
      parts.push((await client.hooks.downloadPart({ id: event.id, offset, length: 50_000 })).bytes)
    }
    const fetched = Buffer.from(await new Blob(parts).arrayBuffer())
    expect(fetched.equals(await fs.readFile(file))).toBe(true)
    expect([...variantOf(await tensorsOf(file), 'clean').keys()]).toContain('blocks.3.hook_resid_post')
    break
  }
  await expect.poll(() => fs.readdir(folder)).toEqual([])
  await expect(client.hooks.downloadPart({ id: held, offset: 0, length: 10 })).rejects.toMatchObject({
    data: { kind: 'file/not-held' }
  })
})

test('cancelled hooks end as cancelled, and the next ones come', async () => {
  const abort = new AbortController()
  const work = (async () => {
    for await (const event of await client.hooks.list(request, { signal: abort.signal })) if (event.type === 'progress') abort.abort()
  })()
  await expect(work).rejects.toThrow()
  expect((await lastOf(await client.hooks.list(request))).table.hooks.length).toBeGreaterThan(90)
})

test('edits show: what is steered, and by how much', async () => {
  const hook = 'blocks.1.hook_resid_post'
  const steered = (value: number): HookRequest => ({
    ...request,
    run: { ...request.run, variants: [...request.run.variants, { name: 'steered', splices: [], edits: [edit(value)] }] },
    variant: 'steered',
    against: 'clean'
  })
  const edit = (value: number) => ({ sae: 'res', feature: 3, kind: 'steer' as const, value, positions: 'all' as const })
  const largestOf = async (value: number) => {
    const { activation } = await lastOf(await client.hooks.open({ ...steered(value), hook }))
    return Number(activation.hook.difference?.maxAbsolute)
  }
  const [once, twice] = [await largestOf(2), await largestOf(4)]
  expect(once).toBeGreaterThan(0)
  expect(twice).toBeCloseTo(2 * once, 4)
  const { table } = await lastOf(await client.hooks.list(steered(2)))
  expect(Number(table.hooks.find(({ name }) => name === hook)?.difference?.maxAbsolute)).toBeCloseTo(once, 5)
})
