import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Contract } from '../../contract/index.ts'
import { type BrowserHost, startBrowserHost } from './host.ts'

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-host-'))
process.env.SPLICE_HOME = home

let host: BrowserHost
let port: number
let cookie: string
beforeAll(async () => {
  host = await startBrowserHost({ port: 0, open: false })
  port = Number(new URL(host.url).port)
  cookie = await cookieOf(host.url)
})
afterAll(async () => {
  await host.close()
  fs.rmSync(home, { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** One request, its path sent as it is. */
function ask(target: string, options: { host?: string; cookie?: string; method?: string; headers?: http.OutgoingHttpHeaders } = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: target,
      method: options.method ?? 'GET',
      headers: { Host: options.host ?? `127.0.0.1:${port}`, Cookie: options.cookie ?? cookie, ...options.headers }
    })
    request.on('response', async response => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
    })
    request.on('error', reject)
    request.end()
  })
}

/** The cookie that a URL's token is exchanged for. */
async function cookieOf(url: string): Promise<string> {
  const answer = await fetch(url, { redirect: 'manual' })
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toBe('/')
  return answer.headers.getSetCookie()[0]!.split(';')[0]!
}

interface SocketRequest {
  url?: string
  host?: string
  origin?: string | null
  cookie?: string
}

/** A socket as a page would open it; `Host`, `Origin` and cookie can be somebody else's. */
function openSocket({ url = host.url, host: name = new URL(url).host, origin = `http://${name}`, ...rest }: SocketRequest = {}) {
  return new WebSocket(`ws://${new URL(url).host}/rpc`, {
    headers: { Host: name, Cookie: rest.cookie ?? cookie, ...(origin === null ? {} : { Origin: origin }) }
  })
}

/** The status a socket is refused with; 101 where it is not. */
async function statusOf(socket: WebSocket): Promise<number> {
  const status = await new Promise<number>((resolve, reject) => {
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
    socket.on('error', reject)
  })
  socket.on('error', () => undefined)
  socket.terminate()
  return status
}

function clientOf(socket: WebSocket): ContractRouterClient<Contract> {
  return createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
}

describe('the page', () => {
  test('is served to who has the cookie, with headers that let nothing else run', async () => {
    const { status, headers, body } = await ask('/')
    expect(status).toBe(200)
    expect(body).toContain('<title>Splice</title>')
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/)
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['cache-control']).toBe('no-store')
    const script = /src="\.?(\/assets\/[^"]+\.js)"/.exec(body)?.[1]
    expect((await ask(script!)).headers['content-type']).toBe('text/javascript; charset=utf-8')
  })

  test('is refused without the cookie, with a wrong one, and with another instance’s', async () => {
    const [name, value] = cookie.split('=')
    const other = `splice-000000000000=${value}`
    for (const wrong of ['', `${name}=`, `${name}=${value!.slice(1)}x`, other]) {
      expect(await ask('/', { cookie: wrong })).toMatchObject({ status: 401, body: expect.not.stringContaining('<script') })
    }
    expect((await ask('/?token=wrong', { cookie: '' })).status).toBe(401)
    expect((await ask('/assets/', { cookie: '' })).status).toBe(401)
  })

  test('sets a cookie that neither scripts nor other sites get', async () => {
    const { headers } = await ask(`/?token=${new URL(host.url).searchParams.get('token')}`, { cookie: '' })
    expect(headers['set-cookie']![0]).toMatch(/^splice-[0-9a-f]{12}=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/)
  })

  test('answers to names of this machine alone, whatever the port', async () => {
    for (const name of ['localhost', `localhost:${port}`, 'localhost:1', '127.0.0.1', '[::1]:8888']) {
      expect((await ask('/', { host: name })).status).toBe(200)
    }
    const strangers = ['example.com', `localhost.example.com:${port}`, `127.0.0.1.example.com`, '127.0.0.2', 'localhost:', 'localhost@x']
    for (const name of strangers) expect([name, (await ask('/', { host: name })).status]).toEqual([name, 421])
    const token = new URL(host.url).searchParams.get('token')
    expect((await ask(`/?token=${token}`, { host: 'example.com', cookie: '' })).headers['set-cookie']).toBeUndefined()
  })

  test('is all there is: no other file, no listing', async () => {
    const escapes = [
      '/../package.json',
      '/../../package.json',
      '/..%2f..%2fpackage.json',
      '/%2e%2e/%2e%2e/package.json',
      '/assets/..%2f..%2f..%2fpackage.json',
      '/..\\..\\package.json',
      '//etc/passwd',
      '/etc/passwd',
      '/assets',
      '/assets/',
      '/.built-from',
      '/index.html%00.js',
      '/__proto__',
      '/constructor'
    ]
    for (const target of escapes) expect([target, (await ask(target)).status]).toEqual([target, 404])
    expect((await ask('http://[')).status).toBe(400)
  })

  test('takes nothing: other methods and oversized requests are refused', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) expect((await ask('/', { method })).status).toBe(405)
    expect((await ask(`/${'x'.repeat(20_000)}`)).status).toBe(431)
    expect((await ask('/', { headers: { 'X-Long': 'x'.repeat(20_000) } })).status).toBe(431)
    expect((await ask('/')).status).toBe(200)
  })

  test('listens on loopback alone', async () => {
    const others = Object.values(os.networkInterfaces()).flatMap(list => list ?? [])
    for (const { address, family } of others.filter(({ internal }) => !internal).filter(({ family }) => family === 'IPv4')) {
      const socket = net.connect({ host: address, port, family: family === 'IPv4' ? 4 : 6 })
      await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED')
    }
  })
})

describe('the socket', () => {
  test('opens for the page that the host served', async () => {
    expect(await statusOf(openSocket())).toBe(101)
    expect(await statusOf(openSocket({ host: 'localhost:8888' }))).toBe(101)
  })

  test('is refused to pages of others', async () => {
    expect(await statusOf(openSocket({ origin: 'http://example.com' }))).toBe(403)
    expect(await statusOf(openSocket({ origin: `http://localhost:${port}` }))).toBe(403)
    expect(await statusOf(openSocket({ origin: `http://127.0.0.1:${port + 1}` }))).toBe(403)
    expect(await statusOf(openSocket({ origin: `https://127.0.0.1:${port}` }))).toBe(403)
    expect(await statusOf(openSocket({ origin: 'null' }))).toBe(403)
    expect(await statusOf(openSocket({ origin: null }))).toBe(403)
    expect(await statusOf(openSocket({ host: 'example.com' }))).toBe(421)
    expect(await statusOf(openSocket({ cookie: '' }))).toBe(401)
  })

  test('carries the contract, for several tabs at once', async () => {
    const sockets = [openSocket(), openSocket()]
    const [one, two] = sockets.map(clientOf)
    const [status, sources] = await Promise.all([one!.engine.status(), two!.explanations.sources()])
    expect(status.home).toBe(home)
    expect(sources).toEqual(expect.any(Array))
    await expect(one!.library.openModel({ path: path.join(home, 'nothing') })).rejects.toMatchObject({ code: 'SPLICE' })
    for (const socket of sockets) socket.close()
  })

  test('is closed when a frame is too long or cannot be read, and the others go on', async () => {
    const bystander = clientOf(openSocket())
    const long = openSocket()
    await once(long, 'open')
    long.send('x'.repeat(17 * 1024 * 1024))
    expect((await once(long, 'close'))[0]).toBe(1009)
    const garbled = openSocket()
    await once(garbled, 'open')
    garbled.send('{"i":')
    expect((await once(garbled, 'close'))[0]).toBe(1013)
    expect((await bystander.engine.status()).home).toBe(home)
  })

  test('a killed engine closes it, and one opened again is answered', async () => {
    const before = openSocket()
    const { engineProcess } = await clientOf(before).engine.status()
    process.kill(engineProcess, 'SIGKILL')
    expect((await once(before, 'close'))[0]).toBe(1013)
    const after = await clientOf(openSocket()).engine.status()
    expect(after.engineProcess).not.toBe(engineProcess)
  })
})

test('a port that is taken is an error that names it', async () => {
  await expect(startBrowserHost({ port, open: false })).rejects.toMatchObject({ kind: 'serve/port', field: '--port', mistake: true })
})

test('a mirror that cannot be opened is an error that names it', async () => {
  const db = path.join(home, 'words.txt')
  fs.writeFileSync(db, 'These are words, and no SQLite database; long enough for a header. '.repeat(20))
  await expect(startBrowserHost({ port: 0, open: false, db })).rejects.toMatchObject({ mistake: true, file: db })
})

describe('a host of its own', () => {
  const entry = fileURLToPath(new URL('../cli/entry.ts', import.meta.url))

  async function serve(): Promise<{ child: ChildProcess; lines: string[]; processes: number[] }> {
    const child = spawn(process.execPath, [entry, 'serve', '--no-open'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    await new Promise<void>((resolve, reject) => {
      child.on('exit', code => reject(new Error(`the host ended with ${code}`)))
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        lines.push(...text.split('\n').filter(line => line !== ''))
        resolve()
      })
    })
    const url = lines[0]!
    const client = clientOf(openSocket({ url, cookie: await cookieOf(url) }))
    // A tokenization starts the inference process and waits for it.
    await client.runs.tokenize({
      model: fileURLToPath(new URL('../../../resources/demo/model', import.meta.url)),
      prompt: { text: 'words' }
    })
    const { engineProcess, inferenceProcess } = await client.engine.status()
    return { child, lines, processes: [engineProcess, inferenceProcess!] }
  }

  const isRunning = (id: number) => {
    try {
      return process.kill(id, 0)
    } catch {
      return false
    }
  }

  /** Settles when none of the processes is there any more; the test's time limit is the patience. */
  async function haveEnded(processes: readonly number[]): Promise<void> {
    let isOver = false
    onTestFinished(() => {
      isOver = true
      for (const id of processes.filter(isRunning)) process.kill(id, 'SIGKILL')
    })
    while (!isOver && processes.some(isRunning)) await new Promise(resolve => setTimeout(resolve, 20))
  }

  test('killed, it leaves neither engine nor inference process behind', async () => {
    const { child, processes } = await serve()
    child.kill('SIGKILL')
    await haveEnded(processes)
  })

  test('prints one line, and ends all on Ctrl-C', async () => {
    const { child, lines, processes } = await serve()
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    await haveEnded(processes)
    expect(lines).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/)])
  })
})
