/** `bin/splice` as a shell would start it; for tests, drills and scripts alike. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const command = join(root, 'bin', 'splice')

/** The demo that comes with Splice. */
export const demo = {
  model: join(root, 'resources/demo/model'),
  sae: join(root, 'resources/demo/saes/demo-scope-res/layer_2/width_1k/average_l0_15'),
  roughSae: join(root, 'resources/demo/saes/demo-scope-res/layer_2/width_1k/average_l0_3'),
  explanations: join(root, 'resources/demo/explanations')
}

/** How a command ended; `code` is null where a signal ended it. */
export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** Where a command runs: in a home of its own, perhaps with variables of its own. */
export interface Surroundings {
  home: string
  cwd?: string
  env?: Record<string, string>
}

/** Runs a command to its end. */
export function splice(args: readonly string[], options: Surroundings): Promise<Outcome> {
  return startSplice(args, options).ended
}

/** Starts a command; `ended` settles when it has ended and all that it wrote is read. */
export function startSplice(args: readonly string[], options: Surroundings) {
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, SPLICE_HOME: options.home, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ ...outcome, code }))
  })
  return { child, ended }
}
