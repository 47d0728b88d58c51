/** Electron's app: its life from the lock of a single instance to the end of the process. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import path from 'node:path'
import { TypedEmitter } from './strict.ts'

/** What has to be done before `ready`, and before the process ends. */
interface Surroundings {
  start(): Promise<void>
  end(): Promise<void>
  closeWindows(): Promise<void>
}

const userData = process.argv.find(argument => argument.startsWith('--user-data-dir='))?.slice('--user-data-dir='.length)

class App extends TypedEmitter {
  isPackaged = process.env.STAND_IN_RESOURCES !== undefined
  #surroundings: Surroundings | null = null
  #isReady = false
  #isSandboxed = false
  readonly #ready = Promise.withResolvers<void>()
  /** A second instance tells the first what it was given before it ends. */
  #told: Promise<void> = Promise.resolve()

  constructor() {
    super('App')
  }

  /** Called once by the stand-in, before the app's own code runs; gets ready when that has run. */
  surround(surroundings: Surroundings): void {
    this.#surroundings = surroundings
    setImmediate(() => {
      void surroundings.start().then(() => {
        this.#isReady = true
        this.emit('ready', {}, {})
        this.#ready.resolve()
      })
    })
  }

  get isSandboxed(): boolean {
    return this.#isSandboxed
  }

  getAppPath(): string {
    const { STAND_IN_RESOURCES: resources } = process.env
    return resources === undefined ? process.cwd() : path.join(resources, 'app')
  }

  isReady(): boolean {
    return this.#isReady
  }

  whenReady(): Promise<void> {
    return this.#ready.promise
  }

  enableSandbox(): void {
    if (this.#isReady) throw new Error('enableSandbox is called before the app is ready')
    this.#isSandboxed = true
  }

  requestSingleInstanceLock(): boolean {
    if (userData === undefined) throw new Error('give the stand-in a --user-data-dir')
    mkdirSync(userData, { recursive: true })
    const lock = path.join(userData, 'stand-in-lock')
    const socket = path.join(userData, 'stand-in-socket')
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
    } catch {
      this.#told = new Promise(resolve => {
        const connection = createConnection(socket, () => connection.end(JSON.stringify({ argv: process.argv, folder: process.cwd() })))
        connection.on('close', () => resolve()).on('error', () => resolve())
      })
      return false
    }
    process.on('exit', () => rmSync(lock, { force: true }))
    createServer({ allowHalfOpen: true }, connection => {
      let text = ''
      connection.setEncoding('utf8')
      connection.on('data', chunk => {
        text += chunk
      })
      connection.on('end', () => {
        connection.end()
        const { argv, folder } = JSON.parse(text)
        void this.whenReady().then(() => this.emit('second-instance', {}, argv, folder, null))
      })
    }).listen(socket)
    return true
  }

  setAsDefaultProtocolClient(scheme: string): boolean {
    return /^[a-z]+$/.test(scheme)
  }

  quit(): void {
    void this.#quit()
  }

  async #quit(): Promise<void> {
    await this.#told
    if (this.ask('before-quit')) return
    await this.#surroundings?.closeWindows()
    if (this.ask('will-quit')) return
    this.emit('quit', {}, 0)
    this.exit(0)
  }

  exit(code = 0): void {
    void (this.#surroundings?.end() ?? Promise.resolve()).finally(() => process.exit(code))
  }
}

export const app = new App()
