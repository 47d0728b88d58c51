/** The Electron app itself: its built main process and preload, on Electron or on the stand-in for it. */
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stageApp } from '../../scripts/stage-app.mjs'
import { demo, root, temporaryFolder } from '../command-line.ts'
import { type ElectronApp, isRealElectron, openApp, spawnApp } from '../electron-app.ts'
import { afterRun, keepPictureOfFailures, processShown } from '../workbench.ts'

const home = temporaryFolder()
const userData = join(temporaryFolder(), 'electron')
let app: ElectronApp
let page: Page

/** Counts who comes; any page may be had of it. */
const visits: string[] = []
const elsewhere = createServer((request, response) => {
  visits.push(String(request.url))
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>elsewhere</title>')
})
let elsewhereUrl = ''

beforeAll(async () => {
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  elsewhereUrl = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  app = await openApp({ home, userData })
  page = app.page
})
afterAll(async () => {
  elsewhere.close()
  await app?.close()
})
keepPictureOfFailures(() => page)

const hash = () => page.evaluate(() => location.hash)
const isRunning = (id: number) => {
  try {
    return process.kill(id, 0)
  } catch {
    return false
  }
}
/** Waits for something that must not come. */
const moment = () => new Promise(resolve => setTimeout(resolve, 300))

describe('the window', () => {
  test('has the demo’s numbers', async () => {
    const values = await page.getByTestId('strip-clean').locator('[data-logprob]').count()
    expect(values).toBeGreaterThan(5)
  })

  test('has neither Node nor Electron, and runs no script but its own', async () => {
    const found = await page.evaluate(async () => {
      const script = document.createElement('script')
      script.textContent = 'window.injected = true'
      document.head.append(script)
      const evaluated = await new Promise(resolve => setTimeout(resolve, 50)).then(() => {
        try {
          return new Function('return true')()
        } catch {
          return false
        }
      })
      const names = ['require', 'process', 'module', 'Buffer', 'ipcRenderer', 'electron', 'standInSend', 'injected']
      return { names: names.filter(name => name in window), evaluated, own: Object.keys(window.splice ?? {}) }
    })
    expect(found).toMatchObject({ names: [], evaluated: false })
    expect(found.own).toContain('chooseFolder')
  })

  test('is served with a strict policy, from its own folder alone', async () => {
    const ask = (url: string) =>
      app.inMain(async ({ net }, address) => {
        const answer = await net.fetch(address)
        return { status: answer.status, policy: answer.headers.get('content-security-policy') }
      }, url)
    const { status, policy } = await ask('splice://app/')
    expect(status).toBe(200)
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self'/)
    expect(policy).not.toMatch(/unsafe|\*|data:/)
    expect((await ask('splice://app/icon.svg')).status).toBe(200)
    for (const path of ['..%2fmain%2findex.js', '%2e%2e/main/index.js', '..%5cmain%5cindex.js', '%00', '%', 'main', 'none.js']) {
      expect({ path, ...(await ask(`splice://app/${path}`)) }).toMatchObject({ path, status: 404 })
    }
    expect((await ask('splice://other/')).status).toBe(404)
  })
})

describe('the menu', () => {
  test('knows what the page can do', async () => {
    const item = (id: string) =>
      app.inMain(({ Menu }, wanted) => {
        const found = Menu.getApplicationMenu()?.getMenuItemById(wanted)
        return { enabled: found?.enabled, checked: found?.checked }
      }, id)
    await expect.poll(() => item('go.settings')).toMatchObject({ enabled: true })
    await expect.poll(() => item('theme.system')).toMatchObject({ checked: true })
    expect(await item('run.cancel')).toMatchObject({ enabled: false })
  })

  test('has the page do it', async () => {
    await app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('go.settings')?.click())
    await expect.poll(hash).toBe('#/settings')
    await app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('go.compare')?.click())
    await expect.poll(hash).toMatch(/^#\/compare/)
  })

  test('zooms', async () => {
    const width = () => page.evaluate(() => Math.round((document.body.getBoundingClientRect().width / innerWidth) * 100))
    const scale = () => page.evaluate(() => `${document.documentElement.style.zoom || 1} ${devicePixelRatio}`)
    const before = await scale()
    await app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('zoom.in')?.click())
    await expect.poll(scale).not.toBe(before)
    await app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('zoom.reset')?.click())
    await expect.poll(width).toBe(100)
  })
})

describe('dialogs of the system', () => {
  test('open the folder that was chosen', async () => {
    await app.inMain(({ dialog }, folder) => {
      dialog.showOpenDialog = (async (...args: unknown[]) => {
        Object.assign(globalThis, { dialogOptions: args.at(-1) })
        return { canceled: false, filePaths: [folder] }
      }) as typeof dialog.showOpenDialog
    }, demo.model)
    await afterRun(page, () => app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('model.open')?.click()))
    expect(await app.inMain(() => Reflect.get(globalThis, 'dialogOptions'))).toEqual({ properties: ['openDirectory'] })
  })

  test('name the file to write', async () => {
    await app.inMain(({ dialog }) => {
      dialog.showSaveDialog = (async (...args: unknown[]) => {
        const { defaultPath } = args.at(-1) as { defaultPath: string }
        return { canceled: false, filePath: `/chosen/${defaultPath}` }
      }) as typeof dialog.showSaveDialog
    })
    expect(await page.evaluate(() => window.splice?.chooseSaveFile('../../hooks.safetensors'))).toBe('/chosen/hooks.safetensors')
  })
})

describe('pages stay where they are', () => {
  test('the window goes nowhere else', async () => {
    const before = page.url()
    await page.evaluate(url => location.assign(url), `${elsewhereUrl}/went`)
    await moment()
    expect(visits).toEqual([])
    expect(page.url()).toBe(before)
    await page.getByTestId('summary').waitFor()
  })

  test('no page opens another; https goes to the browser, nothing else does', async () => {
    await app.inMain(({ shell }) => {
      const opened: string[] = []
      Object.assign(globalThis, { opened })
      shell.openExternal = async url => void opened.push(url)
    })
    await page.evaluate(
      urls => {
        for (const url of urls) window.open(url)
      },
      [`${elsewhereUrl}/window`, 'https://example.org/page', 'https://name:word@example.org/', 'about:blank', 'mailto:someone@example.org']
    )
    await expect.poll(() => app.inMain(() => Reflect.get(globalThis, 'opened'))).toEqual(['https://example.org/page'])
    await moment()
    expect(await app.inMain(() => Reflect.get(globalThis, 'opened'))).toEqual(['https://example.org/page'])
    expect(visits).toEqual([])
    await expect.poll(() => app.pages().length).toBe(1)
  })

  test('permissions are denied, but the page writes to the clipboard', async () => {
    const states = await page.evaluate(async () => {
      const names = ['geolocation', 'notifications', 'camera', 'microphone', 'clipboard-read']
      const asked = names.map(async name => [name, (await navigator.permissions.query({ name: name as PermissionName })).state])
      return Object.fromEntries(await Promise.all(asked))
    })
    for (const state of Object.values(states)) expect(state).not.toBe('granted')
    expect(Object.keys(states).length).toBe(5)
    const clipboard = () => navigator.permissions.query({ name: 'clipboard-write' as PermissionName }).then(({ state }) => state)
    expect(await page.evaluate(clipboard)).toBe('granted')
    expect(await page.evaluate(() => Notification.requestPermission())).toBe('denied')
    const error = await page.evaluate(() => navigator.mediaDevices.getUserMedia({ audio: true }).then(String, reason => reason.name))
    expect(error).toMatch(/NotAllowedError|NotFoundError/)
  })

  test('a page of another place is answered nothing', async () => {
    await app.inMain(
      async ({ BrowserWindow }, { url, preload }) => {
        const window = new BrowserWindow({
          show: false,
          webPreferences: {
            preload,
            sandbox: true,
            contextIsolation: true,
            nodeIntegration: false,
            nodeIntegrationInWorker: false,
            nodeIntegrationInSubFrames: false,
            webSecurity: true,
            allowRunningInsecureContent: false,
            webviewTag: false
          }
        })
        await window.loadURL(url)
      },
      { url: `${elsewhereUrl}/foreign`, preload: join(root, 'out/preload/index.cjs') }
    )
    await expect.poll(() => app.pages().find(other => other.url().includes('/foreign')) !== undefined).toBe(true)
    const foreign = app.pages().find(other => other.url().includes('/foreign')) as Page
    const answers = await foreign.evaluate(async () => {
      let ports = 0
      window.addEventListener('message', ({ ports: { length } }) => {
        ports += length
      })
      window.postMessage({ type: 'splice-port-wanted' }, '*')
      // All of the menu would be grey.
      window.splice?.tellActionStates({ disabled: ['go.settings'], checked: [] })
      const ask = (promise?: Promise<unknown>) => promise?.then(String, reason => `refused: ${reason.message}`)
      const asked = [window.splice?.chooseFolder(), window.splice?.chooseFile(), window.splice?.chooseSaveFile('x')].map(ask)
      const answered = await Promise.all(asked)
      await new Promise(resolve => setTimeout(resolve, 500))
      return { ports, answered }
    })
    expect(answers.ports).toBe(0)
    for (const answered of answers.answered) expect(answered).toMatch(/^refused: .*for the window's own page alone/)
    expect(await app.inMain(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('go.settings')?.enabled)).toBe(true)
    visits.length = 0
    await foreign.close()
  })
})

/** Starts the app a second time: it hands over what it was given, and ends. */
async function startAgain(...args: string[]): Promise<void> {
  const second = spawnApp({ home, userData, args })
  expect({ code: await second.ended, said: second.said() }).toEqual({ code: 0, said: '' })
}

describe('a second start', () => {
  test('brings the window forward and opens what it was given', async () => {
    await app.inMain(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.minimize())
    await afterRun(page, () => startAgain(demo.roughSae))
    await expect.poll(() => page.locator('body').textContent()).toContain('average_l0_3')
    expect(await app.inMain(({ BrowserWindow }) => BrowserWindow.getAllWindows().map(window => window.isMinimized()))).toEqual([false])
    expect(app.pages().length).toBe(1)
  })

  test('with a link goes to a view’s address', async () => {
    await startAgain('splice://app/#/explanations?q=decept')
    await expect.poll(hash).toMatch(/^#\/explanations\?q=decept/)
  })

  test('with a link opens a model if the person agrees, and runs nothing', async () => {
    const answerWith = (response: number) =>
      app.inMain(({ dialog }, chosen) => {
        dialog.showMessageBox = (async (...args: unknown[]) => {
          Object.assign(globalThis, { question: args.at(-1) })
          return { response: chosen, checkboxChecked: false }
        }) as typeof dialog.showMessageBox
      }, response)
    await page.evaluate(() => location.assign('#/compare'))
    const link = `splice://open?model=${encodeURIComponent(join(root, 'fixtures/golden/models/none'))}`
    await answerWith(1)
    await startAgain(link)
    await moment()
    expect(await page.getByTestId('toast').count()).toBe(0)
    await answerWith(0)
    await startAgain(link)
    await expect
      .poll(() =>
        page
          .getByTestId('toast')
          .allTextContents()
          .then(texts => texts.join())
      )
      .toContain('models/none was not opened')
    expect(await app.inMain(() => Reflect.get(globalThis, 'question'))).toMatchObject({ defaultId: 1, cancelId: 1 })
    await page.evaluate(() => performance.clearMarks('splice:run-shown'))
    await startAgain(`splice://open?model=${encodeURIComponent(demo.model)}`)
    await expect.poll(() => page.getByTestId('summary').count()).toBe(0)
    await moment()
    expect(await page.evaluate(() => performance.getEntriesByName('splice:run-shown').length)).toBe(0)
  })

  test('with a link that is not allowed says what is wrong with it', async () => {
    await startAgain('splice://open?model=/any&run=1')
    await expect
      .poll(() =>
        page
          .getByTestId('toast')
          .allTextContents()
          .then(texts => texts.join())
      )
      .toContain('The link was not opened: it asks for run')
  })
})

describe('the engine', () => {
  test('comes back when it is killed, and the window stays', async () => {
    const before = await processShown(page, 'status-engine')
    process.kill(before, 'SIGKILL')
    await expect.poll(() => processShown(page, 'status-engine').catch(() => before)).not.toBe(before)
    await afterRun(page, () => page.getByTestId('prompt').press('Enter'))
    expect(app.pages().length).toBe(1)
  })

  test('serves a page that was loaded again', async () => {
    await page.reload()
    await page.getByTestId('summary').waitFor()
  })

  test('ends with the window, and its place is kept', async () => {
    const engine = await processShown(page, 'status-engine')
    const inference = await processShown(page, 'status-inference')
    await app.inMain(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setBounds({ x: 40, y: 30, width: 1300, height: 820 }))
    const ended = once(app.process, 'exit')
    await app.inMain(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close()).catch(() => undefined)
    expect(await ended).toEqual([0, null])
    await expect.poll(() => isRunning(engine) || isRunning(inference)).toBe(false)
    expect(existsSync(join(home, 'settings.json'))).toBe(true)
    expect(JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8'))).toMatchObject({ window: { width: 1300, height: 820 } })
  })
})

// A real binary must not be taken for a packaged one: its fuses and archive are tried by hand.
describe.skipIf(isRealElectron)('the packaged app', () => {
  const resources = temporaryFolder()
  const engine = join(resources, 'engine')
  const options = () => ({ home: temporaryFolder(), userData: join(temporaryFolder(), 'electron'), resources })
  beforeAll(() => stageApp(root, join(resources, 'app'), engine))

  test('runs the demo with the engine that lies beside it', async () => {
    const packaged = await openApp(options())
    try {
      const id = await processShown(packaged.page, 'status-engine')
      expect(readlinkSync(`/proc/${id}/exe`)).toBe(realpathSync(join(engine, 'node')))
      expect(await packaged.inMain(({ app: { isPackaged } }) => isPackaged)).toBe(true)
    } finally {
      await packaged.close()
    }
  })

  test('does not start an engine that is not as it was built', async () => {
    const ran = join(resources, 'ran')
    appendFileSync(join(engine, 'out/main/engine.js'), `;(await import('node:fs')).writeFileSync(${JSON.stringify(ran)}, '')`)
    const changed = spawnApp(options())
    const patience = setTimeout(() => changed.process.kill('SIGKILL'), 30_000)
    expect(await changed.ended).toBe(1)
    clearTimeout(patience)
    expect(changed.said()).toMatch(/Splice does not start: out\/main\/engine\.js in .*engine was changed\. .*install Splice again/)
    expect(existsSync(ran)).toBe(false)
  })
})
