/** The body of a request: JSON, read whole before anything is done with it, within bounds. */
import type { IncomingMessage } from 'node:http'
import { type JsonBounds, parseJson, whyNoJson } from '../../checkpoint/json.ts'

/** Largest body, in bytes. */
export const largestBody = 16 * 1024 * 1024
const bounds: JsonBounds = { depth: 100, values: 2_000_000 }

/** Why a body is not taken: an HTTP status, and a sentence. */
export class BodyError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The value of a request's body; null where it has none. Throws `BodyError`, and what a connection that breaks throws. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const { 'content-type': type, 'content-encoding': encoding, 'content-length': length } = request.headers
  if (Number(length ?? 0) > largestBody) throw tooLarge()
  const bytes = await collect(request)
  if (bytes.length === 0) return null
  if (type !== undefined && !/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type))
    throw new BodyError(415, 'A body is application/json in UTF-8.')
  if (encoding !== undefined) throw new BodyError(415, 'A body is sent as it is, without Content-Encoding.')
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), bounds)
  } catch (thrown) {
    throw new BodyError(400, `The body ${whyNoJson(thrown)}.`)
  }
}

function tooLarge(): BodyError {
  return new BodyError(413, `A body may have ${largestBody} bytes.`)
}

/** By events: who leaves a stream's iteration early ends its connection, before a word of why is sent. */
function collect(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= largestBody) chunks.push(chunk)
      else {
        chunks.length = 0
        request.pause()
        reject(tooLarge())
      }
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', reject)
    request.on('close', () => reject(new Error('the connection was closed')))
  })
}
