/** What is measured of a run: one number made of what it predicts. */
import { z } from 'zod'
import { type Token, token } from './run.ts'

/** A token by its text, which has to be one token as it is written, or by its id. */
export const namedToken = z.union([z.object({ text: z.string().min(1) }), z.object({ id: z.int().nonnegative() })])
export type NamedToken = z.infer<typeof namedToken>

/** The position that predicts; without one, the prompt's last. */
const position = z.int().nonnegative().optional()

/**
 * What is measured: the log-prob of a token, or the difference of two tokens' logits, as predicted at a position; the mean loss over the
 * prompt's tokens that have one; KL(clean || changed) of what is predicted at a position. Nats, differences of logits in logits.
 */
export const quantity = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('log-prob'), token: namedToken, position }),
  z.object({ kind: z.literal('logit-difference'), token: namedToken, other: namedToken, position }),
  z.object({ kind: z.literal('loss') }),
  z.object({ kind: z.literal('kl'), position })
])
export type Quantity = z.infer<typeof quantity>

/** A quantity with its tokens and position; of a loss both are null. */
export const resolvedQuantity = z.object({
  kind: z.enum(['log-prob', 'logit-difference', 'loss', 'kl']),
  token: token.nullable(),
  other: token.nullable(),
  position: z.int().nullable()
})
export type ResolvedQuantity = z.infer<typeof resolvedQuantity>

const named = ({ text, id }: Token) => `${JSON.stringify(text)} (${id})`

/** A quantity in words; `tokens` are the prompt's, `divergence` is what a KL is from and to. */
export function describeQuantity(
  { kind, token, other, position }: ResolvedQuantity,
  tokens: readonly Token[],
  divergence = 'KL(clean || ablated)'
): string {
  const at = position === null ? '' : ` after ${JSON.stringify(tokens[position]?.text ?? '')} at ${position}`
  if (kind === 'log-prob' && token !== null) return `log-prob of ${named(token)}${at}`
  if (kind === 'logit-difference' && token !== null && other !== null) return `logit of ${named(token)} minus ${named(other)}${at}`
  return kind === 'loss' ? 'mean loss' : `${divergence}${at}`
}
