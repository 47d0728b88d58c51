/** The host as somebody would attack it who is on this machine, or whose page the person has open: by the bytes of requests. */
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Contract } from '../../contract/index.ts'
import { Access } from './access.ts'
import { type BrowserHost, startBrowserHost } from './host.ts'
import { RateLimit } from './limits.ts'

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-attacks-'))
process.env.SPLICE_HOME = home
const limits = { connections: 24, sockets: 3, headMs: 300, requestMs: 1500, lookEveryMs: 50, framesPerSecond: 50, framesAtOnce: 100 }

let host: BrowserHost
let port: number
let token: string
let cookie: string
beforeAll(async () => {
  host = await startBrowserHost({ port: 0, open: false, limits })
  const url = new URL(host.url)
  port = Number(url.port)
  token = url.searchParams.get('token')!
  const answer = await fetch(host.url, { redirect: 'manual' })
  cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!
})
afterAll(async () => {
  await host.close()
  fs.rmSync(home, { recursive: true, force: true })
})

/** Sends bytes as they are, and gives all that comes back until the host hangs up. */
async function send(text: string | Buffer): Promise<string> {
  const socket = net.connect({ host: '127.0.0.1', port })
  let answer = ''
  socket.setEncoding('latin1').on('data', chunk => {
    answer += chunk
  })
  socket.on('error', () => undefined)
  socket.write(text)
  await new Promise(resolve => socket.on('close', resolve))
  return answer
}

/** A request's bytes; `Connection: close`, so that the answer ends. */
function requestOf(first: string, headers: readonly string[], body = ''): string {
  return `${first}\r\n${['Connection: close', ...headers].join('\r\n')}\r\n\r\n${body}`
}

/** The statuses of all answers on a connection. */
function statuses(answer: string): number[] {
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
}

const good = () => [`Host: 127.0.0.1:${port}`, `Cookie: ${cookie}`]
const bearer = () => [`Host: 127.0.0.1:${port}`, `Authorization: Bearer ${token}`]
const json = (body: string) => ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]

/** Whether the host still serves whom it should. */
async function isWell(): Promise<void> {
  expect(statuses(await send(requestOf('GET / HTTP/1.1', good())))).toEqual([200])
  expect(statuses(await send(requestOf('POST /api/engine/status HTTP/1.1', [...bearer(), ...json('')])))).toEqual([200])
}

describe('names of other hosts', () => {
  const hosts = [
    'evil.example',
    'localhost.evil.example',
    'evil.example:80',
    '127.0.0.1.nip.io',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
    '[::]',
    'localhost.',
    'LOCALHOST.evil',
    'user@localhost',
    'localhost#',
    'localhost/evil',
    'localhost:99999999',
    ''
  ]

  test.each(['/', '/assets/x.js', '/api/engine/status', '/api/openapi.json', '/rpc'])(
    'are refused at %s, with cookie and token',
    async target => {
      for (const name of hosts) {
        const method = target.startsWith('/api/engine') ? 'POST' : 'GET'
        const request = requestOf(`${method} ${target} HTTP/1.1`, [`Host: ${name}`, `Cookie: ${cookie}`, `Authorization: Bearer ${token}`])
        expect([name, statuses(await send(request))]).toEqual([name, [421]])
      }
    }
  )

  test('are not taken from other headers, a second Host or the first line', async () => {
    const more = ['X-Forwarded-Host: localhost', 'Forwarded: host=localhost', 'X-Host: localhost', ':authority: localhost']
    for (const header of more)
      expect(await send(requestOf('GET / HTTP/1.1', ['Host: evil.example', `Cookie: ${cookie}`, header]))).not.toMatch(/ 200 /)
    for (const both of [
      [`Host: 127.0.0.1:${port}`, 'Host: evil.example'],
      ['Host: evil.example', `Host: 127.0.0.1:${port}`]
    ]) {
      expect(await send(requestOf('GET / HTTP/1.1', [...both, `Cookie: ${cookie}`]))).not.toMatch(/ 200 /)
      expect(
        await send(requestOf('POST /api/engine/status HTTP/1.1', [...both, `Authorization: Bearer ${token}`, ...json('')]))
      ).not.toMatch(/ 200 /)
    }
    for (const target of ['http://evil.example/', 'http://127.0.0.1/', '//evil.example/', 'evil.example:80', '*']) {
      expect([target, await send(requestOf(`GET ${target} HTTP/1.1`, good()))]).toEqual([target, expect.not.stringMatching(/ 200 /)])
    }
    expect(await send(requestOf('GET / HTTP/1.1', [`Cookie: ${cookie}`]))).toMatch(/ 400 /)
    expect(await send(requestOf('GET / HTTP/1.0', [`Cookie: ${cookie}`]))).not.toMatch(/ 200 /)
  })
})

describe('pages of others', () => {
  const foreign = [
    'http://evil.example',
    'https://127.0.0.1',
    'http://127.0.0.1',
    'http://localhost',
    'null',
    'file://',
    'chrome-extension://x',
    'http://127.0.0.1.evil.example'
  ]

  test('open no socket', async () => {
    const upgrade = [
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    ]
    const ask = (first: string, headers: string[]) => send(`${first}\r\n${[...upgrade, ...headers].join('\r\n')}\r\n\r\n`)
    for (const origin of foreign)
      expect([origin, statuses(await ask('GET /rpc HTTP/1.1', [...good(), `Origin: ${origin}`]))]).toEqual([origin, [403]])
    const own = `Origin: http://127.0.0.1:${port}`
    // Node joins headers of one name, so that no second Origin passes for the first.
    expect(statuses(await ask('GET /rpc HTTP/1.1', [...good(), own, 'Origin: http://evil.example']))).not.toContain(101)
    expect(statuses(await ask('GET /rpc HTTP/1.1', [`Host: 127.0.0.1:${port}`, own]))).toEqual([401])
    expect(statuses(await ask('GET /rpc HTTP/1.1', [`Host: 127.0.0.1:${port}`, own, `Authorization: Bearer ${token}`]))).toEqual([401])
    for (const target of ['/', '/rpc/', '/rpc?x', '/api', '//rpc', '/RPC'])
      expect([target, statuses(await ask(`GET ${target} HTTP/1.1`, [...good(), own]))]).toEqual([target, [404]])
    expect(statuses(await ask('POST /rpc HTTP/1.1', [...good(), own]))).toEqual([405])
  })

  test('ask the API nothing, and read nothing of an answer', async () => {
    for (const origin of foreign) {
      const answer = await send(requestOf('POST /api/engine/status HTTP/1.1', [...good(), `Origin: ${origin}`, ...json('')]))
      expect([origin, statuses(answer)]).toEqual([origin, [403]])
      expect(answer).not.toMatch(/access-control/i)
      const preflight = await send(
        requestOf('OPTIONS /api/engine/status HTTP/1.1', [...good(), `Origin: ${origin}`, 'Access-Control-Request-Method: POST'])
      )
      expect(preflight).not.toMatch(/access-control| 200 | 204 /i)
    }
    // A form or an image of another port of this name: the browser sends the cookie along, and says whose it is.
    for (const site of ['cross-site', 'same-site']) {
      const fetched = [...good(), `Sec-Fetch-Site: ${site}`, 'Sec-Fetch-Mode: no-cors']
      expect(statuses(await send(requestOf('GET / HTTP/1.1', fetched)))).toEqual([403])
      expect(
        statuses(await send(requestOf('POST /api/engine/status HTTP/1.1', [...bearer(), `Sec-Fetch-Site: ${site}`, ...json('')])))
      ).toEqual([403])
    }
    expect(
      statuses(await send(requestOf('GET / HTTP/1.1', [...good(), 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate'])))
    ).toEqual([200])
  })
})

describe('keys', () => {
  test('that are missing, cut, changed, of another instance or of the wrong kind open nothing', async () => {
    const other = new Access()
    const [name, secret] = cookie.split('=')
    const flipped = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
    const bearers = [
      '',
      'Bearer',
      'Bearer ',
      `Bearer ${other.token}`,
      `Bearer ${flipped}`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token}x`,
      `Bearer ${secret}`,
      `Basic ${token}`,
      `Bearer ${token}, x`,
      `Bearer x ${token}`
    ]
    for (const authorization of bearers) {
      const headers = [`Host: localhost:${port}`, `Authorization: ${authorization}`, ...json('')]
      expect([authorization, statuses(await send(requestOf('POST /api/engine/status HTTP/1.1', headers)))]).toEqual([authorization, [401]])
    }
    const cookies = [
      `${name}=`,
      `${name}=${token}`,
      `${name}=${secret!.slice(1)}`,
      other.setCookie.split(';')[0],
      `${name}x=${secret}`,
      `x=1;${name} =${secret}`,
      `=${secret}`,
      secret
    ]
    for (const wrong of cookies) {
      expect([wrong, statuses(await send(requestOf('GET / HTTP/1.1', [`Host: localhost:${port}`, `Cookie: ${wrong}`])))]).toEqual([
        wrong,
        [401]
      ])
    }
    for (const query of [
      '?token=',
      `?token=${flipped}`,
      `?token=${secret}`,
      `?Token=${token}`,
      `?token[]=${token}`,
      `?x=1;token=${token}`
    ]) {
      expect([query, statuses(await send(requestOf(`GET /${query} HTTP/1.1`, [`Host: localhost:${port}`])))]).toEqual([query, [401]])
    }
    // The token opens the page alone: in an address it is no key to the API, which would put it into logs.
    expect(
      statuses(await send(requestOf(`POST /api/engine/status?token=${token} HTTP/1.1`, [`Host: localhost:${port}`, ...json('')])))
    ).toEqual([401])
    expect(statuses(await send(requestOf('POST /api/engine/status HTTP/1.1', [...good(), ...json('')])))).toEqual([401])
  })

  test('of the page are not the token, and differ between instances', () => {
    const [one, two] = [new Access(), new Access()]
    expect(cookie).not.toContain(token)
    expect(new Set([one.token, two.token, ...[one, two].map(access => access.setCookie.split(';')[0]!.split('=')[1])]).size).toBe(4)
    expect(one.setCookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/)
  })
})

describe('paths', () => {
  test('lead nowhere but to the page’s files, however they are written', async () => {
    const ways = ['..', '%2e%2e', '%2E.', '.%2e', '..%00', '%252e%252e', '%c0%ae%c0%ae', '%uff0e%uff0e', '..;', '....', '..%5c', '..%2f..']
    const joints = ['/', '//', '%2f', '%5c', '\\', '/./', '%252f']
    for (const way of ways) {
      for (const joint of joints) {
        for (const start of ['/', '/assets/', '/assets/..']) {
          const target = `${start}${way}${joint}${way}${joint}package.json`
          const answer = await send(requestOf(`GET ${target} HTTP/1.1`, good()))
          expect([target, /onnxruntime-node|"name"/.test(answer), statuses(answer)[0]]).toEqual([
            target,
            false,
            expect.toSatisfy((status: number) => status === 404 || status === 400)
          ])
        }
      }
    }
    for (const target of [
      '/etc/passwd',
      '/C:/Windows/win.ini',
      '/file:///etc/passwd',
      '/proc/self/environ',
      '/assets',
      '/assets/',
      '/assets/.',
      '/.',
      '/index.html/',
      '/index.html%2f',
      '/~root',
      '/assets/*',
      '/?/../package.json&file=/etc/passwd'
    ]) {
      const answer = await send(requestOf(`GET ${target} HTTP/1.1`, good()))
      expect(answer).not.toMatch(/root:|Index of|<li>/)
    }
  })
})

describe('methods and messages', () => {
  test('no method does what another does', async () => {
    const methods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']
    for (const method of methods) {
      const tricks = ['X-HTTP-Method-Override: POST', 'X-Method-Override: POST', '_method: POST']
      const answer = await send(requestOf(`${method} /api/engine/status?_method=POST HTTP/1.1`, [...bearer(), ...tricks]))
      expect([method, statuses(answer)]).toEqual([method, [404]])
    }
    for (const method of methods.filter(name => !['GET', 'HEAD'].includes(name))) {
      expect([method, statuses(await send(requestOf(`${method} / HTTP/1.1`, good())))]).toEqual([method, [405]])
    }
    expect(await send(requestOf('TRACE / HTTP/1.1', good()))).not.toContain(cookie)
    for (const strange of [
      'CONNECT evil.example:80 HTTP/1.1',
      'get / HTTP/1.1',
      'GET / HTTP/9.9',
      'BREW / HTTP/1.1',
      '\x16\x03\x01\x02\x00',
      'PRI * HTTP/2.0\r\n\r\nSM'
    ]) {
      expect([strange, await send(requestOf(strange, good()))]).toEqual([strange, expect.not.stringMatching(/ (200|101) /)])
    }
    await isWell()
  })

  test('a message in a message is none', async () => {
    const smuggled = requestOf('GET / HTTP/1.1', good())
    const length = `Content-Length: ${smuggled.length}`
    const chunked = 'Transfer-Encoding: chunked'
    const tricks: string[][] = [
      [length, chunked],
      [chunked, length],
      ['Content-Length: 0', length],
      [length, 'Content-Length: 0'],
      ['Content-Length: 0, 5'],
      ['Content-Length: +5'],
      ['Content-Length: 0x5'],
      ['Content-Length : 5'],
      ['Transfer-Encoding : chunked'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding:\x0bchunked', length],
      ['X: y\rContent-Length: 5'],
      ['X: y\nTransfer-Encoding: chunked\r\nX2: y', length],
      [' Content-Length: 5']
    ]
    for (const trick of tricks) {
      const answer = await send(requestOf('POST /api/engine/status HTTP/1.1', [...bearer(), ...trick], `0\r\n\r\n${smuggled}`))
      expect([trick, answer.includes('<title>')]).toEqual([trick, false])
    }
    // What follows a whole request is one of its own, with keys of its own.
    const two = `POST /api/engine/status HTTP/1.1\r\n${bearer().join('\r\n')}\r\nContent-Length: 0\r\n\r\n${requestOf('GET / HTTP/1.1', [`Host: 127.0.0.1:${port}`])}`
    expect(statuses(await send(two))).toEqual([200, 401])
    await isWell()
  })

  test('too much is refused, said or not said before, and not kept', async () => {
    const huge = 17 * 1024 * 1024
    const said = requestOf(
      'POST /api/engine/status HTTP/1.1',
      [...bearer(), 'Content-Type: application/json', `Content-Length: ${huge}`],
      '{'
    )
    expect(statuses(await send(said))[0]).toBe(413)
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    const unsaid = requestOf(
      'POST /api/explanations/search HTTP/1.1',
      [...bearer(), 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
      chunk.repeat(17)
    )
    expect([[], [413]]).toContainEqual(statuses(await send(unsaid)))
    expect(statuses(await send(requestOf('GET / HTTP/1.1', [...good(), ...Array.from({ length: 3000 }, (_, i) => `X${i}: y`)])))).toEqual([
      431
    ])
    expect(statuses(await send(requestOf('POST /api/engine/status HTTP/1.1', [...bearer(), ...json('[')], `${'['.repeat(1)}`)))).toEqual([
      400
    ])
    const deep = '['.repeat(200_000)
    expect(statuses(await send(requestOf('POST /api/explanations/search HTTP/1.1', [...bearer(), ...json(deep)], deep)))).toEqual([400])
    await isWell()
  })
})

describe('numbers and time', () => {
  test('who says nothing is let go, and the others are served meanwhile', async () => {
    const begun = ['', 'GET / HTTP/1.1\r\nHost: 127', `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX: `]
    const slow = begun.map(async text => {
      const socket = net.connect({ host: '127.0.0.1', port }).on('error', () => undefined)
      socket.write(text)
      const drip = setInterval(() => (text === '' ? undefined : socket.write('y')), 40)
      await new Promise(resolve => socket.resume().on('close', resolve))
      clearInterval(drip)
    })
    await isWell()
    await Promise.all(slow)
    const body = net.connect({ host: '127.0.0.1', port }).on('error', () => undefined)
    body.write(`POST /api/engine/status HTTP/1.1\r\n${bearer().join('\r\n')}\r\nContent-Length: 1000\r\n\r\n{`)
    await isWell()
    await new Promise(resolve => body.resume().on('close', resolve))
  })

  test('more connections than there may be are closed at once, and one that leaves makes room', async () => {
    const sockets = Array.from({ length: limits.connections + 10 }, () =>
      net
        .connect({ host: '127.0.0.1', port })
        .on('error', () => undefined)
        .resume()
    )
    await Promise.all(sockets.map(socket => Promise.race([once(socket, 'close'), wait(limits.headMs * 4)])))
    for (const socket of sockets) socket.destroy()
    await wait(50)
    await isWell()
  })

  test('more tabs than there may be are told so', async () => {
    const open = () => new WebSocket(`ws://127.0.0.1:${port}/rpc`, { headers: { Cookie: cookie, Origin: `http://127.0.0.1:${port}` } })
    const tabs = Array.from({ length: limits.sockets }, open)
    await Promise.all(tabs.map(tab => once(tab, 'open')))
    const [, response] = await once(
      open().on('error', () => undefined),
      'unexpected-response'
    )
    expect(response.statusCode).toBe(503)
    for (const tab of tabs) tab.terminate()
    await wait(50)
    const again = open()
    await once(again, 'open')
    again.terminate()
  })

  test('a tab that sends more frames than anybody types is closed, and a deep one ends nothing', async () => {
    const open = async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/rpc`, { headers: { Cookie: cookie, Origin: `http://127.0.0.1:${port}` } })
      socket.on('error', () => undefined)
      await once(socket, 'open')
      return socket
    }
    const hasty = await open()
    for (let i = 0; i < 300; i++) hasty.send(`{"i":"${i}","p":{"u":"/engine/status"}}`)
    expect((await once(hasty, 'close'))[0]).toBe(1008)
    const deep = await open()
    deep.send(`{"i":"1","p":{"u":"/engine/status","b":{"json":${'['.repeat(1_000_000)}`)
    expect((await once(deep, 'close'))[0]).toBe(1013)
    await isWell()
  })

  test('a rate lets a burst through and then so many a second', () => {
    let now = 0
    const rate = new RateLimit(10, 5, () => now)
    expect(Array.from({ length: 8 }, () => rate.take())).toEqual([true, true, true, true, true, false, false, false])
    now += 300
    expect(Array.from({ length: 5 }, () => rate.take())).toEqual([true, true, true, false, false])
    now += 60_000
    expect(Array.from({ length: 6 }, () => rate.take()).filter(Boolean)).toHaveLength(5)
  })
})

test('a host that is opened to one folder knows no other, by the API as by the socket', async () => {
  const demo = fileURLToPath(new URL('../../../resources/demo', import.meta.url))
  const narrow = await startBrowserHost({
    port: 0,
    open: false,
    only: [path.join(demo, 'saes')],
    limits: { requestsPerSecond: 1, requestsAtOnce: 40 }
  })
  onTestFinished(() => narrow.close())
  const { origin, searchParams } = new URL(narrow.url)
  const ask = async (procedure: string, body: object) => {
    const headers = { Authorization: `Bearer ${searchParams.get('token')}`, 'Content-Type': 'application/json', Accept: 'application/json' }
    const answer = await fetch(`${origin}/api/${procedure}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, body: await answer.json() }
  }
  const refused = { status: 422, body: { data: { kind: 'path/not-opened' } } }
  for (const [procedure, body] of [
    ['library/browse', { path: '/' }],
    ['library/modelConfig', { path: os.homedir() }],
    ['library/inspect', { path: `${demo}/saes/../../..` }],
    ['runs/chatTemplate', { model: '/etc' }],
    ['runs/tokenize', { model: '/etc', prompt: { text: 'x' } }],
    ['explanations/importFiles', { paths: ['/var/log'] }],
    ['mirror/backup', { file: '/tmp/backup.sqlite' }],
    ['engine/changeSettings', { library: { folders: ['/'], demo: true, hubCache: true } }]
  ] as const) {
    expect([procedure, await ask(procedure, body)]).toMatchObject([procedure, refused])
  }
  expect(await ask('library/browse', {})).toMatchObject({ status: 200, body: { path: path.join(demo, 'saes') } })
  expect(await ask('library/findSaes', { path: path.join(demo, 'saes') })).toMatchObject({ status: 200 })
  const paired = await fetch(narrow.url, { redirect: 'manual' })
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/rpc`, {
    headers: { Cookie: paired.headers.getSetCookie()[0]!.split(';')[0]!, Origin: origin }
  })
  const client: ContractRouterClient<Contract> = createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
  await expect(client.library.browse({ path: '/' })).rejects.toMatchObject({ data: { kind: 'path/not-opened' } })
  socket.terminate()
  // Whoever asks faster than it is answered is told to wait.
  const flood = await Promise.all(Array.from({ length: 60 }, () => fetch(origin, { redirect: 'manual' })))
  expect(flood.filter(({ status }) => status === 429).length).toBeGreaterThan(10)
  expect(flood.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('1')
})

test('every answer says that nothing of it runs, is framed, kept or guessed at', async () => {
  const requests: [string, string[]][] = [
    ['GET / HTTP/1.1', good()],
    ['GET / HTTP/1.1', [`Host: localhost:${port}`]],
    ['GET /nothing HTTP/1.1', good()],
    ['GET / HTTP/1.1', ['Host: evil.example']],
    ['POST / HTTP/1.1', good()],
    [`GET /?token=${token} HTTP/1.1`, [`Host: localhost:${port}`]],
    ['GET /api/openapi.json HTTP/1.1', bearer()],
    ['POST /api/engine/status HTTP/1.1', [...bearer(), ...json('')]],
    ['POST /api/nothing HTTP/1.1', [...bearer(), ...json('')]],
    ['POST /api/engine/status HTTP/1.1', [`Host: localhost:${port}`, ...json('')]]
  ]
  for (const [first, headers] of requests) {
    const [head = ''] = (await send(requestOf(first, headers))).split('\r\n\r\n')
    const lines = head.toLowerCase()
    expect(lines).toMatch(/content-security-policy: default-src 'none'.*frame-ancestors 'none'/)
    expect(lines).not.toMatch(/unsafe|access-control|x-powered-by|^server:/m)
    for (const line of [
      'x-content-type-options: nosniff',
      'referrer-policy: no-referrer',
      'cross-origin-resource-policy: same-origin',
      'cache-control: no-store'
    ]) {
      expect(`${first}\n${lines}`).toContain(line)
    }
  }
})
