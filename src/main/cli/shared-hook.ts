/** Two SAEs of one hook point, where a variant splices all SAEs. */
import type { Engine } from '../engine/engine.ts'
import { mistake } from './arguments.ts'
import type { ModelArguments } from './model-arguments.ts'
import { splicesAll } from './variants.ts'

/**
 * `spliced` means all SAEs at once, which two of one hook point cannot be: the person has to say which stands where.
 * Throws `cli/usage`.
 */
export async function refuseSharedHook(
  client: Engine['client'],
  request: Pick<ModelArguments, 'model' | 'saes' | 'variants'>
): Promise<void> {
  const all = splicesAll(request.variants)
  if (all === undefined || request.saes.length < 2) return
  const seen = new Map<string, string>()
  for (const { name, path, hook: read, hookOut, normFactor } of request.saes) {
    const summary = await client.library.openSae({ path, hook: read, hookOut, normFactor, model: request.model })
    const hook = summary.hookOut ?? summary.hook
    if (hook === null) continue
    const other = seen.get(hook)
    if (other !== undefined) {
      const hint = `Give each a variant of its own: --variant ${other}=${other} --variant ${name}=${name}.`
      throw mistake(
        '--variants',
        `--variants ${all.name}: ${other} and ${name} are both SAEs of ${hook}, and one hook point takes one.`,
        hint
      )
    }
    seen.set(hook, name)
  }
}
