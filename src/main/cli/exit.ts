/** How a command ends: exit codes, and the one line that says why. */
import { z } from 'zod'
import { type ErrorData, errorData, toErrorData } from '../../contract/errors.ts'

/** Exit codes that scripts rely on. */
export const exitCode = { done: 0, failure: 1, mistake: 2, rejectedRows: 3, interrupted: 130 } as const

const remoteError = z.object({ code: z.literal('SPLICE'), data: errorData })

/** Error data of anything thrown here or by the engine. */
export function errorDataOf(thrown: unknown): ErrorData {
  const remote = remoteError.safeParse(thrown)
  return remote.success ? remote.data.data : toErrorData(thrown)
}

/** Fields of a run's, an evaluation's or a harvest's request that the person gave as options of these names. */
const optionOf: Readonly<Record<string, string>> = {
  model: '--model',
  prompt: '--prompt',
  ids: '--ids',
  variants: '--variants',
  positions: '--splice-positions',
  hooks: '--hooks',
  answers: '--answer',
  quantity: '--target',
  token: '--target',
  other: '--target',
  position: '--target',
  features: '--features',
  groups: '--group',
  provider: '--provider',
  precision: '--precision',
  save: '--save',
  context: '--context',
  resume: '--resume',
  source: '--source',
  texts: '--text',
  tokens: '--tokens',
  shard: '--shard',
  name: '--name',
  before: '--before',
  memoryLimit: '--memory-limit'
}

/** The same for patches, whose positions are those of a cell. */
const patchOptionOf: Readonly<Record<string, string>> = {
  source: '--source',
  sites: '--site',
  head: '--site',
  layer: '--cell',
  position: '--cell',
  from: '--from'
}

/** The line for stderr: what is wrong with which file or option, and what to do. Never more than one line. */
export function errorLine(error: ErrorData): string {
  const options = /^(run|evaluation|harvest|inference)\//.test(error.kind)
    ? optionOf
    : error.kind.startsWith('patching/')
      ? patchOptionOf
      : {}
  const field = options[error.field ?? ''] ?? error.field
  const named = [error.file, field].filter(name => name !== undefined && !error.message.includes(name))
  const subject = named.length === 0 ? '' : `${named.join(', ')}: `
  const sentence = `${subject}${error.message}`.trim()
  const line = `splice: ${/[.!?]$/.test(sentence) ? sentence : `${sentence}.`} ${error.hint ?? ''}`
  return line.replaceAll(/\s+/g, ' ').trim()
}

/** The exit code of an error. */
export function exitCodeOf(error: ErrorData): number {
  return error.mistake ? exitCode.mistake : exitCode.failure
}
