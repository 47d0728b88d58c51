/** The versions of what the engine runs on. Dependencies are pinned, so package.json says which ones are installed. */
import Sqlite from 'better-sqlite3'
import packageJson from '../../../package.json' with { type: 'json' }
import type { About } from '../../contract/about.ts'
import type { Provider } from '../../contract/run.ts'
import { version } from './version.ts'

/** What this Splice is made of; `home` is where its state is kept, `providers` are those of ONNX Runtime. */
export function aboutSplice(home: string, providers: readonly Provider[]): About {
  const database = new Sqlite(':memory:')
  try {
    return {
      version: version(),
      license: packageJson.license,
      node: process.versions.node,
      onnxRuntime: packageJson.dependencies['onnxruntime-node'],
      providers: [...providers],
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
