/** Where Splice keeps its state on this machine: mirror, settings, recent items, cache. */
import os from 'node:os'
import path from 'node:path'

/** SPLICE_HOME, else the platform's data folder. The folder need not exist yet. */
export function homeFolder(): string {
  const { SPLICE_HOME, XDG_DATA_HOME, APPDATA } = process.env
  if (SPLICE_HOME !== undefined && SPLICE_HOME !== '') return path.resolve(SPLICE_HOME)
  if (process.platform === 'darwin') return path.join(os.homedir(), 'Library', 'Application Support', 'Splice')
  if (process.platform === 'win32') return path.join(APPDATA ?? path.join(os.homedir(), 'AppData', 'Roaming'), 'Splice')
  return path.join(XDG_DATA_HOME ?? path.join(os.homedir(), '.local', 'share'), 'splice')
}
