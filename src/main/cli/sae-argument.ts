/** `--sae [NAME=]PATH[@HOOK[:HOOK]]`: which SAE, what a run calls it, and where it is spliced in; a transcoder reads one hook and writes another. */
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

function locate(text: string, exists: (path: string) => boolean): Pick<RunSae, 'path' | 'hook' | 'hookOut'> | null {
  if (exists(text)) return { path: resolve(text) }
  const split = splitAtHook(text)
  if (split === null || !exists(split.path)) return null
  const [hook = '', hookOut, ...more] = split.hook.split(':')
  if (hook === '' || hookOut === '')
    throw mistake('--sae', `--sae ${quoted(text)} names no hook point after @.`, 'Write PATH@HOOK, e.g. PATH@blocks.20.hook_resid_post.')
  if (more.length > 0) throw mistake('--sae', `--sae ${quoted(text)} names more than two hook points.`, 'Write PATH@HOOK_IN:HOOK_OUT.')
  return { path: resolve(split.path), hook, ...(hookOut === undefined ? {} : { hookOut }) }
}

function splitAtHook(text: string): { path: string; hook: string } | null {
  const at = text.lastIndexOf('@')
  return at === -1 ? null : { path: text.slice(0, at), hook: text.slice(at + 1) }
}

/** The SAEs with the factors that `--sae-norm-factor NAME=F` gives them. Throws `cli/usage` for a name or number that is none. */
export function withNormFactors(saes: readonly RunSae[], texts: readonly string[]): RunSae[] {
  const factors = new Map<string, number>()
  for (const text of texts) {
    const [, name = '', number = ''] = /^([A-Za-z0-9_-]+)=(.+)$/s.exec(text) ?? []
    const factor = Number(number)
    if (number.trim() === '' || !Number.isFinite(factor) || factor <= 0) {
      throw mistake(
        '--sae-norm-factor',
        `--sae-norm-factor ${quoted(text)} is not NAME=F.`,
        'Write an SAE and a number above zero, e.g. sae1=0.25.'
      )
    }
    if (!saes.some(sae => sae.name === name)) {
      const known = saes.length === 0 ? 'Add it with --sae NAME=PATH.' : `The SAEs of this run are ${saes.map(sae => sae.name).join(', ')}.`
      throw mistake('--sae-norm-factor', `--sae-norm-factor: ${quoted(name)} is no SAE of this run.`, known)
    }
    if (factors.has(name)) throw mistake('--sae-norm-factor', `--sae-norm-factor names ${name} twice.`, 'Give each SAE one factor.')
    factors.set(name, factor)
  }
  return saes.map(sae => {
    const normFactor = factors.get(sae.name)
    return normFactor === undefined ? sae : { ...sae, normFactor }
  })
}
