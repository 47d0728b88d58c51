/** The contract's procedures, each passed on to the engine as it is asked: the host knows none of them by name. */
import { isContractProcedure } from '@orpc/contract'
import { type AnyRouter, implement, ORPCError } from '@orpc/server'
import { toErrorData } from '../../../contract/errors.ts'
import { contract } from '../../../contract/index.ts'
import type { EngineClient } from '../../engine/engine-client.ts'

/** A procedure as the walk below sees it: its types are the contract's, which the handlers at both ends check. */
type Call = (input: unknown, options: { signal?: AbortSignal | undefined }) => Promise<unknown>
interface Implementer {
  handler(answer: (options: { input: unknown; signal?: AbortSignal | undefined }) => Promise<unknown>): AnyRouter
}
type Tree = { readonly [name: string]: unknown }

/** A router of the whole contract over a client of the engine. */
export function forwardingRouter(client: EngineClient): AnyRouter {
  return forward(contract, implement(contract) as unknown as Tree, client as unknown as Tree)
}

function forward(part: Tree, implementer: Tree, client: Tree): AnyRouter {
  return Object.fromEntries(
    Object.entries(part).map(([name, child]) => {
      if (!isContractProcedure(child)) return [name, forward(child as Tree, implementer[name] as Tree, client[name] as Tree)]
      const ask = client[name] as Call
      return [name, (implementer[name] as Implementer).handler(({ input, signal }) => passErrors(ask(input, { signal })))]
    })
  )
}

/** What the engine says is passed on; a connection that broke is said in its words. */
async function passErrors(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (thrown) {
    if (thrown instanceof ORPCError && thrown.defined)
      throw new ORPCError('SPLICE', { defined: true, status: 422, message: thrown.message, data: thrown.data })
    const data = toErrorData(thrown)
    throw new ORPCError('SPLICE', { defined: true, status: 503, message: data.message, data })
  }
}
