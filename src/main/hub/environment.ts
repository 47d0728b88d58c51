/** Where the Hugging Face hub and its cache on this disk are, by the environment variables that huggingface_hub reads. */
import os from 'node:os'
import path from 'node:path'

/** A variable's value; an empty one counts as unset. */
function variable(name: string): string | undefined {
  const value = process.env[name]
  return value === undefined || value === '' ? undefined : value
}

/** `~` and `$NAME`, as Python's expanduser and expandvars take them. */
function expand(folder: string): string {
  const atHome = folder === '~' || folder.startsWith('~/') ? os.homedir() + folder.slice(1) : folder
  return path.resolve(atHome.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, bare) => process.env[braced ?? bare] ?? all))
}

function hubHome(): string {
  const cache = variable('XDG_CACHE_HOME') ?? path.join(os.homedir(), '.cache')
  return expand(variable('HF_HOME') ?? path.join(cache, 'huggingface'))
}

/** The cache of repositories: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else `hub` in HF_HOME, else below XDG_CACHE_HOME or ~/.cache. */
export function hubCacheFolder(): string {
  return expand(variable('HF_HUB_CACHE') ?? variable('HUGGINGFACE_HUB_CACHE') ?? path.join(hubHome(), 'hub'))
}

/** The file in which Python's `hf auth login` keeps its token. */
export function hubTokenFile(): string {
  return expand(variable('HF_TOKEN_PATH') ?? path.join(hubHome(), 'token'))
}

/** The hub's address without a slash at the end: HF_ENDPOINT, else the public one. */
export function hubEndpoint(): string {
  return (variable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '')
}

/** The token that the environment gives, and the variable that gives it. */
export function hubTokenOfEnvironment(): { token: string; variable: string } | null {
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = variable(name)?.trim()
    if (token !== undefined && token !== '') return { token, variable: name }
  }
  return null
}

/** The variable that forbids network requests, if one does. */
export function offlineVariable(): string | null {
  const isTrue = (name: string) => ['1', 'ON', 'YES', 'TRUE'].includes((variable(name) ?? '').toUpperCase())
  return ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].find(isTrue) ?? null
}
