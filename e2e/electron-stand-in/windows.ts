/** Electron's windows: each is a page of a real Chromium, with its preload in an isolated world. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { BrowserContext, CDPSession, Page, Route } from 'playwright-core'
import { app } from './app.ts'
import { answered, heard, type MessagePortMain, transfer, transferred } from './ipc.ts'
import { fromBrowser, toBrowser } from './protocol.ts'
import { grantsFor } from './session.ts'
import { checkOptions, strict, TypedEmitter } from './strict.ts'
import { decode, encode } from './wire.ts'

export interface Frame {
  readonly url: string
  readonly parent: Frame | null
}

interface Bounds {
  x: number
  y: number
  width: number
  height: number
}

let chromiumContext: BrowserContext | null = null
const profile = mkdtempSync(path.join(tmpdir(), 'splice-electron-'))

/** Starts Chromium. Gives the port on which others can look at its pages. */
export async function startChromium(): Promise<number> {
  // An instance that ends at once needs none of this.
  const [{ chromium }, { chromiumCommand }] = await Promise.all([import('playwright-core'), import('../chromium.ts')])
  const { executablePath, args } = chromiumCommand()
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: [...args, '--remote-debugging-port=0'],
    viewport: null,
    colorScheme: 'light'
  })
  chromiumContext = context
  await context.route('**/*', route => void decide(route).catch(unlessClosed))
  context.on('page', page => void refusePopup(page).catch(unlessClosed))
  return Number(readFileSync(path.join(profile, 'DevToolsActivePort'), 'utf8').split('\n')[0])
}

export async function endChromium(): Promise<void> {
  await chromiumContext?.close().catch(() => undefined)
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
}

const windows = new Map<Page, BrowserWindow>()
/** What pages were allowed to open, as Chromium has it. */
const allowedPopups = new Set<string>()

/** A page may close while it is asked about, which is what was to come of it. */
function unlessClosed(thrown: unknown): void {
  if (!/clos|Route is already handled|detached/i.test(String(thrown))) throw thrown
}

/** Asks the app about a page's going somewhere else; everything that is no navigation goes its way. */
async function decide(route: Route): Promise<void> {
  const request = route.request()
  if (!request.isNavigationRequest()) return route.continue()
  let from: { window: BrowserWindow | undefined; isMainFrame: boolean } | null = null
  try {
    const frame = request.frame()
    from = { window: windows.get(frame.page()), isMainFrame: frame.parentFrame() === null }
  } catch {
    // A page that Chromium opened by itself, whose frame is not there yet.
  }
  const contents = from?.window?.webContents
  if (from === null || contents === undefined) return allowedPopups.has(request.url()) ? route.continue() : route.abort('aborted')
  if (from.isMainFrame && contents.isLoadingItself) return route.continue()
  const url = fromBrowser(request.url())
  const details = { url, isMainFrame: from.isMainFrame, isSameDocument: false, frame: contents.mainFrame, initiator: contents.mainFrame }
  if (contents.ask('will-frame-navigate', details)) return route.abort('aborted')
  if (from.isMainFrame && contents.ask('will-navigate', details, url)) return route.abort('aborted')
  return route.continue()
}

/** A page that another page opened: the app was asked when it did. */
async function refusePopup(page: Page): Promise<void> {
  const opener = await page.opener()
  const contents = opener === null ? undefined : windows.get(opener)?.webContents
  if (contents !== undefined && !contents.wasWindowAllowed) await page.close()
}

class WebContents extends TypedEmitter {
  readonly #page: Promise<Page>
  readonly #window: BrowserWindow
  #session: CDPSession | null = null
  /** The preload's world in the present document. */
  #world: string | null = null
  #isDestroyed = false
  #url = ''
  #windowOpenHandler: ((details: { url: string }) => { action: string }) | null = null
  /** True while the app itself loads a page, which is not asked about. */
  isLoadingItself = false
  wasWindowAllowed = false

  constructor(window: BrowserWindow, preload: string) {
    super('WebContents')
    this.#window = window
    this.#page = this.#open(preload)
  }

  get mainFrame(): Frame {
    return { url: this.#url, parent: null }
  }

  get page(): Promise<Page> {
    return this.#page
  }

  async #open(preload: string): Promise<Page> {
    if (chromiumContext === null) throw new Error('a window is opened when the app is ready')
    const page = await chromiumContext.newPage()
    windows.set(page, this.#window)
    // Chromium begins with a page that is no window of the app.
    if (windows.size === 1) for (const other of chromiumContext.pages()) if (other !== page) await other.close()
    page.on('close', () => this.#window.closed())
    page.on('framenavigated', frame => {
      if (frame === page.mainFrame()) this.#url = fromBrowser(frame.url())
    })
    const session = await chromiumContext.newCDPSession(page)
    this.#session = session
    session.on('Runtime.executionContextCreated', ({ context }) => {
      if (context.name === 'preload-world') this.#world = context.uniqueId
    })
    session.on('Runtime.bindingCalled', ({ name, payload }) => {
      if (name === 'standInSend') void this.#receive(JSON.parse(payload))
    })
    session.on('Page.windowOpen', ({ url, windowName }) => {
      const details = { url: fromBrowser(url), frameName: windowName, features: '', disposition: 'foreground-tab' }
      this.wasWindowAllowed = (this.#windowOpenHandler?.(details) ?? { action: 'allow' }).action === 'allow'
      if (this.wasWindowAllowed) allowedPopups.add(url)
    })
    const mainWorld = readFileSync(new URL('./main-world.js', import.meta.url), 'utf8')
    const preloadWorld = readFileSync(new URL('./preload-world.js', import.meta.url), 'utf8')
    const script = `(function (require, process, exports, module) {\n${readFileSync(preload, 'utf8')}\n})`
    await session.send('Runtime.enable')
    await session.send('Page.enable')
    await session.send('Runtime.addBinding', { name: 'standInSend', executionContextName: 'preload-world' })
    await session.send('Page.addScriptToEvaluateOnNewDocument', { source: mainWorld })
    await session.send('Page.addScriptToEvaluateOnNewDocument', {
      source: preloadWorld.replace('PRELOAD(', () => `${script}(`),
      worldName: 'preload-world'
    })
    return page
  }

  async #receive(message: Record<string, unknown>): Promise<void> {
    const event = { sender: this.#window.webContents, senderFrame: { url: fromBrowser(String(message.url)), parent: null } }
    const args = decode(message.args) as unknown[]
    const channel = String(message.channel)
    if (message.kind === 'preload-error') defect(new Error(`the preload failed: ${message.error}`))
    else if (message.kind === 'send') {
      try {
        heard(channel, event, args)
      } catch (error) {
        defect(error)
      }
    } else if (message.kind === 'invoke') {
      const { invocation } = message
      await answered(channel, event, args).then(
        value => this.#tell({ kind: 'answer', invocation, value: encode(value) }),
        error => this.#tell({ kind: 'answer', invocation, error: String(error.message) })
      )
    } else if (message.kind === 'port') transferred.get(Number(message.port))?.receive(decode(message.data))
    else if (message.kind === 'port-closed') {
      transferred.get(Number(message.port))?.closedByOther()
      transferred.delete(Number(message.port))
    }
  }

  /** Sends to the preload of the present document. A document that is going away loses what was for it, as in Electron. */
  #tell(message: object): void {
    if (this.#isDestroyed || this.#session === null || this.#world === null) return
    const expression = `standInReceive(${JSON.stringify(JSON.stringify(message))})`
    this.#session.send('Runtime.evaluate', { expression, uniqueContextId: this.#world }).then(
      ({ exceptionDetails }) => {
        if (exceptionDetails !== undefined) defect(new Error(exceptionDetails.exception?.description ?? exceptionDetails.text))
      },
      () => undefined
    )
  }

  send(channel: string, ...args: unknown[]): void {
    if (this.#isDestroyed) throw new Error('Object has been destroyed')
    this.#tell({ kind: 'message', channel, args: encode(args), ports: [] })
  }

  postMessage(channel: string, message: unknown, ports: MessagePortMain[] = []): void {
    if (this.#isDestroyed) throw new Error('Object has been destroyed')
    const ids = ports.map(port => transfer(port, sent => this.#tell(encoded(sent))))
    this.#tell({ kind: 'message', channel, args: encode([message]), ports: ids })
  }

  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.#windowOpenHandler = handler
  }

  isDestroyed(): boolean {
    return this.#isDestroyed
  }

  getURL(): string {
    return this.#url
  }

  async load(url: string): Promise<void> {
    const page = await this.#page
    const address = await toBrowser(url)
    await chromiumContext?.grantPermissions(grantsFor(url), { origin: new URL(address).origin })
    this.isLoadingItself = true
    await page.goto(address, { waitUntil: 'domcontentloaded' }).finally(() => {
      this.isLoadingItself = false
    })
    this.#url = fromBrowser(page.url())
  }

  destroyed(): void {
    this.#isDestroyed = true
    this.emit('destroyed')
  }
}

function encoded(message: object): object {
  return 'data' in message ? { ...message, data: encode(message.data) } : message
}

/** What is wrong with the app ends it: a test sees an app that is gone, and why. */
function defect(error: unknown): void {
  console.error('the stand-in for Electron:', error)
  process.exit(70)
}

export class BrowserWindow extends TypedEmitter {
  readonly webContents: WebContents
  #isVisible: boolean
  #isMinimized = false
  #isMaximized = false
  #isDestroyed = false
  #bounds: Bounds

  constructor(options: Record<string, unknown> & { webPreferences?: Record<string, unknown> } = {}) {
    super('BrowserWindow', 'BaseWindow')
    checkOptions(options, 'BrowserWindowConstructorOptions', 'BaseWindowConstructorOptions')
    const { webPreferences: preferences = {} } = options
    checkOptions(preferences, 'WebPreferences')
    for (const [name, wanted] of Object.entries(mustBe)) {
      if (preferences[name] !== wanted) throw new Error(`webPreferences.${name} must be ${wanted}`)
    }
    const { preload } = preferences
    if (typeof preload !== 'string' || !path.isAbsolute(preload) || !existsSync(preload)) throw new Error(`there is no preload ${preload}`)
    if (!app.isSandboxed) throw new Error('app.enableSandbox was not called')
    const { width = 800, height = 600, show = true } = options
    this.#bounds = { x: 0, y: 0, width: Number(width), height: Number(height) }
    this.#isVisible = show !== false
    this.webContents = strict('webContents', new WebContents(this, preload))
    all.push(this)
    app.emit('web-contents-created', {}, this.webContents)
    void this.#place()
  }

  static getAllWindows(): BrowserWindow[] {
    return [...all]
  }

  static getFocusedWindow(): BrowserWindow | null {
    return all.find(window => window === focused) ?? null
  }

  static fromWebContents(contents: object): BrowserWindow | null {
    return all.find(window => window.webContents === contents) ?? null
  }

  async loadURL(url: string): Promise<void> {
    await this.webContents.load(url)
    this.emit('ready-to-show')
  }

  show(): void {
    this.#isVisible = true
    this.focus()
    this.emit('show')
  }

  focus(): void {
    focused = this
    this.emit('focus')
  }

  minimize(): void {
    this.#isMinimized = true
  }

  restore(): void {
    this.#isMinimized = false
  }

  maximize(): void {
    this.#isMaximized = true
    this.emit('maximize')
  }

  isVisible(): boolean {
    return this.#isVisible
  }

  isMinimized(): boolean {
    return this.#isMinimized
  }

  isMaximized(): boolean {
    return this.#isMaximized
  }

  isFocused(): boolean {
    return focused === this
  }

  isDestroyed(): boolean {
    return this.#isDestroyed
  }

  getNormalBounds(): Bounds {
    return { ...this.#bounds }
  }

  setBounds(bounds: Partial<Bounds>): void {
    this.#bounds = { ...this.#bounds, ...bounds }
    void this.#place()
    this.emit('resize')
  }

  async #place(): Promise<void> {
    const { width, height } = this.#bounds
    const page = await this.webContents.page
    await page.setViewportSize({ width, height })
  }

  close(): void {
    if (this.ask('close')) return
    void this.webContents.page.then(page => page.close())
  }

  /** Its page is gone. */
  closed(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    all.splice(all.indexOf(this), 1)
    this.webContents.destroyed()
    this.emit('closed')
    if (all.length === 0) app.emit('window-all-closed')
  }
}

/** What makes a window one without Node and with a sandbox. */
const mustBe = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  webviewTag: false
}

const all: BrowserWindow[] = []
let focused: BrowserWindow | null = null

/** Closes all windows, as an app that quits does. */
export async function closeWindows(): Promise<void> {
  for (const window of [...all]) {
    window.close()
    while (!window.isDestroyed()) await new Promise(resolve => setTimeout(resolve, 5))
  }
}
