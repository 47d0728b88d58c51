/** `splice generate`: continues a prompt under several variants. */
import type { GenerationEvent, GenerationResult } from '../../contract/generation.ts'
import { exitCode } from './exit.ts'
import { readGenerationOrder } from './generate-request.ts'
import { resultOf, showStage } from './result-of.ts'
import { refuseSharedHook } from './shared-hook.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function generate(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, db, json } = readGenerationOrder(argv)
  const result = await withEngine({ db, infers: true, explains: request.topFeatures > 0 }, async client => {
    await refuseSharedHook(client, request)
    const events = await client.runs.generate(request, { signal: terminal.signal })
    const onEvent = (event: GenerationEvent) => {
      if (event.type === 'progress') showStage(terminal, event)
    }
    return (await resultOf(events, 'generation', onEvent)).result
  })
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(asJson(result, request.samples))}\n` : asText(result, request.samples))
  return exitCode.done
}

/** One entry for each continuation; of several samples each has its number. */
function asJson({ continuations, tokens, milliseconds, ...result }: GenerationResult, samples: number): unknown {
  const variants = continuations.map(({ variant, sample, text, tokens: fresh, features, ending }) => ({
    name: variant,
    ...(samples === 1 ? {} : { sample }),
    text,
    ending,
    tokens: fresh.map(({ id, text: piece, logProb, rank }, place) => ({
      id,
      text: piece,
      logProb,
      rank,
      ...(features[place] === null ? {} : { features: features[place] })
    }))
  }))
  return { ...result, prompt: tokens, variants, milliseconds }
}

function asText({ model, continuations, tokens, seed, milliseconds }: GenerationResult, samples: number): string {
  const count = Math.max(...continuations.map(continuation => continuation.tokens.length))
  const pace = (milliseconds.generate / Math.max(1, count)).toFixed(0)
  const endings = { eos: 'ended by itself', length: 'most new tokens', context: 'context full' }
  const heading = `${model.name}  ${tokens.length} tokens in the prompt  seed ${seed}  ${pace} ms a token`
  const parts = continuations.map(({ variant, sample, text, tokens: fresh, ending }) => {
    const name = samples === 1 ? variant : `${variant} ${sample + 1}`
    return `${name}  ${fresh.length} tokens, ${endings[ending]}\n${text}`
  })
  return `${[heading, ...parts].join('\n\n')}\n`
}
