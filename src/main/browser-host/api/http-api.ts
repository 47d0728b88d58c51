/**
 * The contract over plain HTTP, for scripts: `POST /api/<part>/<procedure>` with JSON, described by /api/openapi.json. Streams are
 * server-sent events; a client that accepts application/json alone gets a stream's result, or the first word of one that only watches.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OpenAPIGenerator } from '@orpc/openapi'
import { OpenAPIHandler } from '@orpc/openapi/node'
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4'
import { legible } from '../../../contract/errors.ts'
import { contract } from '../../../contract/index.ts'
import { EngineConnection } from '../../engine/engine-client.ts'
import type { EngineSupervisor } from '../../engine/supervisor.ts'
import { version } from '../../engine/version.ts'
import type { Access } from '../access.ts'
import { BodyError, readBody } from './body.ts'
import { forwardingRouter } from './forwarding.ts'

const headers: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store'
}

interface ApiContext {
  /** Whether a stream is to be answered by its result. */
  readonly wantsResult: boolean
}

export class HttpApi {
  readonly #access: Access
  readonly #connection: EngineConnection
  readonly #handler: OpenAPIHandler<ApiContext>
  #description: Promise<string> | null = null

  constructor(engine: Pick<EngineSupervisor, 'connect' | 'send'>, access: Access) {
    this.#access = access
    this.#connection = new EngineConnection(engine)
    this.#handler = new OpenAPIHandler<ApiContext>(forwardingRouter(this.#connection.client), {
      clientInterceptors: [
        async ({ next, context, path }) => {
          const output = await next()
          return context.wantsResult && isStream(output) ? await resultOf(output, path.at(-1) === 'watch') : output
        }
      ]
    })
  }

  /** Whether a request is for the API. */
  isAsked(request: IncomingMessage): boolean {
    return /^\/api(\/|\?|$)/.test(request.url ?? '')
  }

  /** Answers a request below /api. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away in the middle of an answer is no event.
    response.on('error', () => response.destroy())
    const refusal = this.#access.refuseApi(request)
    if (refusal !== null) {
      refuse(response, refusal.status, refusal.message)
      return
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    const pathname = URL.parse(`http://localhost${request.url}`)?.pathname
    if (pathname === undefined) {
      refuse(response, 400, 'That is no address.')
      return
    }
    if (pathname === '/api/openapi.json' && request.method === 'GET') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(await this.#describe())
      return
    }
    const wantsResult = wantsJsonAlone(request.headers.accept)
    const matched = await this.#answer(request, response, wantsResult)
    if (!matched && !response.headersSent)
      refuse(response, 404, 'There is no such procedure; /api/openapi.json lists them, each of which takes POST.')
  }

  /** Whether there is such a procedure. A request that cannot be read is answered, and ends nothing but itself. */
  async #answer(request: IncomingMessage, response: ServerResponse, wantsResult: boolean): Promise<boolean> {
    try {
      // The adapter takes a body that is there already; what it reads by itself it does not bound.
      Object.assign(request, { body: await readBody(request) })
      return (await this.#handler.handle(request, response, { prefix: '/api', context: { wantsResult } })).matched
    } catch (thrown) {
      if (response.headersSent || request.socket.destroyed) response.destroy()
      else if (thrown instanceof BodyError) refuse(response, thrown.status, thrown.message)
      else refuse(response, 400, legible(thrown instanceof Error ? thrown.message : String(thrown)))
      return true
    }
  }

  #describe(): Promise<string> {
    this.#description ??= new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] })
      .generate(contract, {
        info: {
          title: 'Splice',
          version: version(),
          description:
            'Everything that the workbench asks of its engine. Authorization: Bearer TOKEN, the token of the address that splice serve prints. Streams are server-sent events; with Accept: application/json a stream is answered by its result, one that only watches by its first event.'
        },
        servers: [{ url: '/api' }],
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }]
      })
      .then(document => JSON.stringify(document))
    return this.#description
  }

  close(): void {
    this.#connection.close()
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response
    .writeHead(status, { ...headers, 'Content-Type': 'application/json', Connection: 'close' })
    .end(`${JSON.stringify({ message })}\n`)
}

/** Whether a client accepts JSON and no event stream; `*` and `*` below is what curl sends by itself, and takes the stream. */
function wantsJsonAlone(accept: string | undefined): boolean {
  const kinds = (accept ?? '').split(',').map(kind => kind.split(';')[0]?.trim())
  return kinds.includes('application/json') && !kinds.includes('text/event-stream')
}

function isStream(output: unknown): output is AsyncIterable<unknown> {
  return typeof output === 'object' && output !== null && Symbol.asyncIterator in output
}

/** A stream's result, after which it is ended, whatever it would have held until then; or the first event of one that only watches. */
async function resultOf(events: AsyncIterable<unknown>, watches: boolean): Promise<unknown> {
  let last: unknown = null
  for await (const event of events) {
    last = event
    if (watches || (typeof event === 'object' && event !== null && 'type' in event && event.type === 'result')) break
  }
  return last
}
