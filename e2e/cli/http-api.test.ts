/** The HTTP API as scripts use it: the examples of docs/http-api.md, word for word, against a host of their own. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { runResult } from '../../src/contract/run.ts'
import { type Outcome, root, startSplice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()
const page = readFileSync(join(root, 'docs/http-api.md'), 'utf8')
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({ language, code }))
const curl = blocks.filter(({ language, code }) => language === 'sh' && code.includes('curl '))
const python = blocks.filter(({ language }) => language === 'python')

let server: ReturnType<typeof startSplice>
let url: string
let token: string

beforeAll(async () => {
  server = startSplice(['serve', '--no-open'], { home })
  const address = await new Promise<URL>((resolve, reject) => {
    let said = ''
    server.child.stdout.on('data', (text: string) => {
      said += text
      if (said.includes('\n')) resolve(new URL(said.trim()))
    })
    void server.ended.then(({ stderr }) => reject(new Error(stderr)))
  })
  url = address.origin
  token = address.searchParams.get('token') ?? ''
  // The demo's explanations come in after the start.
  const states = z.object({ mirror: z.object({ explanations: z.int(), importing: z.boolean() }) })
  const isFilled = async () => {
    const { mirror } = states.parse(await (await ask('/api/engine/status')).json())
    return mirror.explanations > 0 && !mirror.importing
  }
  while (!(await isFilled())) await wait(100)
})
afterAll(async () => {
  server.child.kill('SIGINT')
  await server.ended
})

function runBlock(program: string, code: string): Promise<Outcome> {
  const child = spawn(program, program === 'bash' ? ['-e', '-s'] : ['-'], {
    cwd: root,
    env: { ...process.env, SPLICE_URL: url, SPLICE_TOKEN: token }
  })
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text
  })
  child.stdin.end(code)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', ended => resolve({ ...outcome, code: ended }))
  })
}

function ask(
  path: string,
  options: Omit<RequestInit, 'headers'> & { headers?: Record<string, string>; bearer?: string | null } = {}
): Promise<Response> {
  const { bearer = token, headers, ...rest } = options
  const own: Record<string, string> = bearer === null ? {} : { Authorization: `Bearer ${bearer}` }
  return fetch(`${url}${path}`, { method: 'POST', ...rest, headers: { ...own, 'Content-Type': 'application/json', ...headers } })
}

test('the page has examples of both', () => {
  expect(curl.length).toBeGreaterThanOrEqual(3)
  expect(python.length).toBeGreaterThanOrEqual(1)
})

describe.skipIf(process.env.SPLICE_CURL === '')('the examples for curl', () => {
  test('tell the state and the hits, run the demo and stream a continuation', async () => {
    const outcomes = await Promise.all(curl.map(({ code }) => runBlock('bash', code)))
    for (const { code, stderr } of outcomes) expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [state = '', run = '', stream = ''] = outcomes.map(({ stdout }) => stdout)
    const hits = z.object({ hits: z.array(z.object({ description: z.string() })).min(1) })
    const [status, search] = state.split(/(?<=\})(?=\{"total")/)
    expect(JSON.parse(status ?? '')).toMatchObject({ inference: expect.any(String) })
    expect(hits.parse(JSON.parse(search ?? '')).hits.every(({ description }) => /dragon/i.test(description))).toBe(true)
    const { result } = z.object({ result: runResult }).parse(JSON.parse(run))
    expect(result.variants.map(({ name }) => name)).toEqual(['clean', 'spliced'])
    expect(result.comparison[0]?.meanKl).toBeGreaterThan(0)
    expect(stream.match(/"type":"tokens"/g)).toHaveLength(5)
    expect(stream).toContain('"type":"result"')
  })
})

describe.skipIf(process.env.SPLICE_PYTHON === '')('the example for Python', () => {
  test('prints tokens, the strongest feature and answers', async () => {
    for (const { code } of python) {
      const { code: ended, stdout, stderr } = await runBlock(process.env.SPLICE_PYTHON ?? 'python3', code)
      expect({ ended, stderr }).toEqual({ ended: 0, stderr: '' })
      const lines = stdout.trim().split('\n')
      expect(lines).toHaveLength(8)
      expect(lines[0]).toBe("'<bos>' None None")
      expect(lines[6]).toMatch(/^ time \[\('clean', 0\), \('spliced', \d+\)\]$/)
    }
  })
})

describe('the API', () => {
  test('is described, every procedure of it', async () => {
    const answer = await ask('/api/openapi.json', { method: 'GET' })
    const schema = z.object({ openapi: z.string(), paths: z.record(z.string(), z.object({ post: z.object({ operationId: z.string() }) })) })
    const { openapi, paths } = schema.parse(await answer.json())
    expect(openapi).toMatch(/^3\.1/)
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/runs/run', '/runs/generate', '/explanations/search', '/engine/status']))
  })

  test('refuses who has no token or a wrong one, and pages of other sites', async () => {
    expect((await ask('/api/engine/status', { bearer: null })).status).toBe(401)
    expect((await ask('/api/engine/status', { bearer: 'x'.repeat(token.length) })).status).toBe(401)
    expect((await ask('/api/openapi.json', { method: 'GET', bearer: null })).status).toBe(401)
    expect((await ask('/api/engine/status', { headers: { Origin: 'http://example.com' } })).status).toBe(403)
    expect((await ask('/api/engine/status')).status).toBe(200)
  })

  test('says what is wrong, and goes on', async () => {
    const gone = await ask('/api/runs/tokenize', { body: JSON.stringify({ model: '/nowhere', prompt: { text: 'x' } }) })
    expect(gone.status).toBe(422)
    expect(await gone.json()).toMatchObject({ data: { kind: 'checkpoint/no-folder', message: expect.stringContaining('/nowhere') } })
    expect((await ask('/api/runs/tokenize', { body: '{"model":' })).status).toBe(400)
    expect((await ask('/api/explanations/search', { body: '{"mode":"words"}' })).status).toBe(400)
    expect((await ask('/api/no/thing')).status).toBe(404)
    expect((await ask('/api/engine/status', { method: 'GET' })).status).toBe(404)
    const large = await ask('/api/explanations/search', { body: JSON.stringify({ query: 'x'.repeat(17e6) }) }).then(
      ({ status }) => status,
      () => 'cut off'
    )
    expect([413, 'cut off']).toContain(large)
    expect((await ask('/api/engine/status')).status).toBe(200)
  })

  test('answers who accepts JSON alone with the result, also of streams that do not end by themselves', async () => {
    const json = { headers: { Accept: 'application/json' } }
    expect(await (await ask('/api/engine/watch', json)).json()).toMatchObject({ type: 'status', status: { inference: expect.any(String) } })
    expect(await (await ask('/api/downloads/watch', json)).json()).toEqual([])
    const sae = { name: 'res', path: join(root, 'resources/demo/saes/demo-scope-res/layer_2/width_1k/average_l0_15') }
    const variants = [{ name: 'clean', splices: [] }]
    const run = { model: join(root, 'resources/demo/model'), saes: [sae], prompt: { text: 'Once upon a time' }, variants }
    const read = await ask('/api/runs/readFeatures', { ...json, body: JSON.stringify({ run, sae: 'res' }) })
    expect(await read.json()).toMatchObject({ type: 'result', reading: { sae: 'res', dSae: 1024 } })
  })

  test('stops the work of a client that goes away', async () => {
    const leave = new AbortController()
    const variants = [{ name: 'clean', splices: [] }]
    const body = {
      model: join(root, 'resources/demo/model'),
      prompt: { text: 'Once' },
      variants,
      maxNewTokens: 500,
      samples: 64,
      stopAtEos: false
    }
    const answer = await ask('/api/runs/generate', { body: JSON.stringify(body), signal: leave.signal })
    const reader = answer.body?.getReader()
    await reader?.read()
    leave.abort()
    const states = z.object({ inference: z.string() })
    await expect.poll(async () => states.parse(await (await ask('/api/engine/status')).json()).inference, { timeout: 10_000 }).toBe('ready')
  })
})
