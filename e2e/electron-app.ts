/**
 * The Electron app as built: on Electron itself where its binary is in node_modules, else on the stand-in (`electron-stand-in`). Both are
 * looked at in the same way, so that one list of tests runs on either.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, _electron as electron, type Page } from 'playwright-core'
import { root } from './command-line.ts'

/** What a test does inside the main process: it gets the module `electron` and one argument, and must not refer to anything else. */
export type InMain = <Argument, Value>(
  run: (electron: typeof Electron.CrossProcessExports, argument: Argument) => Value,
  argument?: Argument
) => Promise<Value>

export interface ElectronApp {
  /** The first window's page; the demo has been run in it when `openApp` settles. */
  readonly page: Page
  readonly inMain: InMain
  readonly process: ChildProcess
  /** Pages of all windows. */
  pages(): Page[]
  /** Ends it as a person who quits does. */
  close(): Promise<void>
}

export interface AppOptions {
  readonly home: string
  /** Where Electron keeps its own; apps with the same one are one instance. */
  readonly userData: string
  readonly args?: readonly string[]
  /** The resources of a packaged app, for the stand-in. */
  readonly resources?: string
}

/** Electron's own binary, or null. */
function electronBinary(): string | null {
  const folder = join(root, 'node_modules', 'electron')
  const pathFile = join(folder, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(folder, 'dist', readFileSync(pathFile, 'utf8').trim())
  return existsSync(binary) ? binary : null
}

export const isRealElectron = electronBinary() !== null

const standIn = fileURLToPath(new URL('./electron-stand-in/register.ts', import.meta.url))

function environment({ home, resources }: AppOptions): Record<string, string> {
  const { NODE_OPTIONS: _options, VITEST: _vitest, ...env } = process.env
  return { ...(env as Record<string, string>), SPLICE_HOME: home, ...(resources === undefined ? {} : { STAND_IN_RESOURCES: resources }) }
}

/** Starts the app without waiting for a window: one that may not get that far. Its stderr is text in `said`. */
export function spawnApp(options: AppOptions): { process: ChildProcess; said(): string; ended: Promise<number | null> } {
  const { args = [], userData, resources } = options
  const own = [`--user-data-dir=${userData}`, ...args]
  const binary = electronBinary()
  const entry = resources === undefined ? join(root, 'out/main/index.js') : join(resources, 'app/out/main/index.js')
  const child =
    binary === null
      ? spawn(process.execPath, ['--import', standIn, entry, ...own], {
          cwd: root,
          env: environment(options),
          stdio: ['ignore', 'inherit', 'pipe', 'ipc']
        })
      : spawn(binary, [root, ...own], { cwd: root, env: environment(options), stdio: ['ignore', 'inherit', 'pipe'] })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { process: child, said: () => said, ended }
}

/** Opens the app and waits for the demo's numbers. A home without settings is given those of a person who has taken the tour. */
export async function openApp(options: AppOptions): Promise<ElectronApp> {
  const settings = join(options.home, 'settings.json')
  if (!existsSync(settings)) writeFileSync(settings, JSON.stringify({ tourSeen: true }))
  const app = isRealElectron ? await openElectron(options) : await openStandIn(options)
  try {
    app.page.setDefaultTimeout(30_000)
    await app.page.getByTestId('summary').waitFor()
    return app
  } catch (thrown) {
    app.process.kill('SIGKILL')
    throw thrown
  }
}

async function openElectron(options: AppOptions): Promise<ElectronApp> {
  const app = await electron.launch({
    executablePath: electronBinary() ?? '',
    args: [root, `--user-data-dir=${options.userData}`, ...(options.args ?? [])],
    cwd: root,
    env: environment(options)
  })
  return {
    page: await app.firstWindow(),
    inMain: app.evaluate.bind(app) as unknown as InMain,
    process: app.process(),
    pages: () => app.windows(),
    close: () => app.close()
  }
}

async function openStandIn(options: AppOptions): Promise<ElectronApp> {
  const started = spawnApp(options)
  const child = started.process
  const answers = new Map<number, (answer: { value?: unknown; error?: string }) => void>()
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message: { kind: 'ready'; port: number } | { kind: 'answer'; id: number; value?: unknown; error?: string }) => {
      if (message.kind === 'ready') resolve(message.port)
      else answers.get(message.id)?.(message)
    })
    void started.ended.then(code => {
      if (code !== 0) process.stderr.write(started.said())
      reject(new Error(`the app ended with ${code}: ${started.said()}`))
      for (const answer of answers.values()) answer({ error: `the app ended with ${code}: ${started.said()}` })
    })
  })
  let last = 0
  const inMain = async (run: (...args: never[]) => unknown, argument?: unknown) => {
    last += 1
    const id = last
    const answer = await new Promise<{ value?: unknown; error?: string }>(resolve => {
      answers.set(id, resolve)
      child.send({ id, source: String(run), argument })
    })
    answers.delete(id)
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.value
  }
  let browser: Browser | null = null
  try {
    // An app that ends meanwhile says why below.
    browser = await Promise.race([chromium.connectOverCDP(`http://127.0.0.1:${port}`), started.ended.then(() => null)])
    const pages = () => (browser?.contexts() ?? []).flatMap(context => context.pages())
    const loaded = () => pages().find(page => page.url() !== 'about:blank')
    while (loaded() === undefined && child.exitCode === null) await wait(20)
    const page = loaded()
    if (page === undefined) throw new Error('there is no window')
    return {
      page,
      inMain: inMain as InMain,
      process: child,
      pages,
      close: async () => {
        if (child.exitCode === null && child.signalCode === null)
          await inMain(({ app }: typeof Electron.CrossProcessExports) => app.quit()).catch(() => undefined)
        await started.ended
        await browser?.close()
      }
    }
  } catch (thrown) {
    child.kill('SIGKILL')
    const code = await started.ended
    throw new Error(`the app had no window; it ended with ${code ?? 'a signal'}: ${started.said()}`, { cause: thrown })
  }
}
