/** `--sae [NAME=]PATH[@HOOK]`: which SAE, what a run calls it, and where it is spliced in. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RunSae } from '../../contract/run.ts'
import { mistake, quoted } from './arguments.ts'

/**
 * Reads the `--sae` arguments in order; those without a name become sae1, sae2, ... by their place.
 * What exists as a path is that path; otherwise the last @ parts path from hook point. Paths come back absolute.
 * Throws `cli/usage` where nothing exists at the path, or a name is given twice.
 */
export function readSaeArguments(texts: readonly string[], exists: (path: string) => boolean = existsSync): RunSae[] {
  const saes = texts.map((text, at) => readSaeArgument(text, `sae${at + 1}`, exists))
  for (const [at, sae] of saes.entries()) {
    if (saes.findIndex(other => other.name === sae.name) < at) {
      throw mistake('--sae', `Two SAEs of this run are called ${sae.name}.`, 'Give one of them another name: --sae NAME=PATH.')
    }
  }
  return saes
}

function readSaeArgument(text: string, fallbackName: string, exists: (path: string) => boolean): RunSae {
  if (text === '') throw mistake('--sae', '--sae is empty.', 'Give the folder or file of an SAE: --sae [NAME=]PATH[@HOOK].')
  const whole = locate(text, exists)
  if (whole !== null) return { name: fallbackName, ...whole }
  const named = /^([A-Za-z0-9_-]+)=(.+)$/s.exec(text)
  const name = named?.[1] ?? fallbackName
  const rest = named?.[2] ?? text
  const found = locate(rest, exists)
  if (found !== null) return { name, ...found }
  const path = splitAtHook(rest)?.path ?? rest
  throw mistake('--sae', `--sae ${quoted(text)}: nothing is at ${path}.`, 'Give the folder or file of an SAE: --sae [NAME=]PATH[@HOOK].')
}

function locate(text: string, exists: (path: string) => boolean): { path: string; hook?: string } | null {
  if (exists(text)) return { path: resolve(text) }
  const split = splitAtHook(text)
  if (split === null || !exists(split.path)) return null
  if (split.hook === '')
    throw mistake('--sae', `--sae ${quoted(text)} names no hook point after @.`, 'Write PATH@HOOK, e.g. PATH@blocks.20.hook_resid_post.')
  return { path: resolve(split.path), hook: split.hook }
}

function splitAtHook(text: string): { path: string; hook: string } | null {
  const at = text.lastIndexOf('@')
  return at === -1 ? null : { path: text.slice(0, at), hook: text.slice(at + 1) }
}
