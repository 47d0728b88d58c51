/** The token for gated repositories: HF_TOKEN, else the one kept in the home, else the one of Python's `hf auth login`. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { TokenState } from '../../contract/downloads.ts'
import { SpliceError } from '../../contract/errors.ts'
import { hubTokenFile, hubTokenOfEnvironment } from './environment.ts'

const ownFile = (home: string) => path.join(home, 'hub-token')

async function readToken(file: string): Promise<string | null> {
  const text = await fs.readFile(file, 'utf8').catch(() => '')
  return text.trim() === '' ? null : text.trim()
}

/** The token in force and where it comes from; null without one. */
async function findToken(home: string): Promise<{ token: string; state: TokenState } | null> {
  const environment = hubTokenOfEnvironment()
  if (environment !== null) return { token: environment.token, state: { origin: 'environment', name: environment.variable } }
  const kept = await readToken(ownFile(home))
  if (kept !== null) return { token: kept, state: { origin: 'setting', name: ownFile(home) } }
  const python = await readToken(hubTokenFile())
  return python === null ? null : { token: python, state: { origin: 'file', name: hubTokenFile() } }
}

/** The token in force, or null. It belongs into an Authorization header of the hub and nowhere else. */
export async function hubToken(home: string): Promise<string | null> {
  return (await findToken(home))?.token ?? null
}

/** Where the token in force comes from. */
export async function hubTokenState(home: string): Promise<TokenState> {
  return (await findToken(home))?.state ?? { origin: null, name: null }
}

/** Keeps a token in the home, readable by its owner alone (0600), or removes it with null. Throws `hub/token` for what is none. */
export async function keepHubToken(home: string, token: string | null): Promise<TokenState> {
  const file = ownFile(home)
  if (token === null) {
    await fs.rm(file, { force: true })
    return hubTokenState(home)
  }
  const bare = token.trim()
  if (!/^[\x21-\x7e]{8,}$/.test(bare)) {
    throw new SpliceError('hub/token', 'this is not an access token', {
      hint: 'Copy one from the hub, under Settings, Access Tokens: hf_...'
    })
  }
  await fs.mkdir(home, { recursive: true })
  const part = `${file}.${process.pid}.part`
  await fs.rm(part, { force: true })
  await fs.writeFile(part, `${bare}\n`, { mode: 0o600, flag: 'wx' })
  await fs.rename(part, file)
  return hubTokenState(home)
}
