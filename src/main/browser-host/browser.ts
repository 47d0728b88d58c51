/** Opens the default browser, where there is a display to open it on. */
import { spawn } from 'node:child_process'

/** True where a window could appear. */
export function hasDisplay(): boolean {
  if (process.platform !== 'linux') return true
  return Boolean(process.env.DISPLAY) || Boolean(process.env.WAYLAND_DISPLAY)
}

/** Opens a URL; without a display, or a browser, the printed line has to do. */
export function openBrowser(url: string): void {
  if (!hasDisplay()) return
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url]
  if (command === undefined) return
  const child = spawn(command, args, { stdio: 'ignore', detached: true })
  child.on('error', () => process.stderr.write(`splice: ${command} is not there; open the address in a browser yourself\n`))
  child.unref()
}
