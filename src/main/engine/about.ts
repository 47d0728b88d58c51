/** The versions of what the engine runs on. Dependencies are pinned, so package.json says which ones are installed. */
import Sqlite from 'better-sqlite3'
import packageJson from '../../../package.json' with { type: 'json' }
import type { About } from '../../contract/about.ts'
import { version } from './version.ts'

/** What this Splice is made of; `home` is where its state is kept. */
export function aboutSplice(home: string): About {
  const database = new Sqlite(':memory:')
  try {
    return {
      version: version(),
      license: packageJson.license,
      node: process.versions.node,
      onnxRuntime: packageJson.dependencies['onnxruntime-node'],
      sqlite: String(database.prepare('select sqlite_version()').pluck().get()),
      betterSqlite3: packageJson.dependencies['better-sqlite3'],
      platform: process.platform,
      architecture: process.arch,
      home
    }
  } finally {
    database.close()
  }
}
