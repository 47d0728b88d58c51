import { z } from 'zod'

/** What kind of thing went wrong: `area/what`, e.g. `checkpoint/truncated`, `run/too-long`. */
export const errorKind = z.string().regex(/^[a-z-]+\/[a-z0-9-]+$/)

/**
 * An error as it crosses a process: `message` is one sentence that says what is wrong with which file or field,
 * `hint` what the person can do about it. `mistake` tells a user's mistake (exit code 2) from a failure of ours (1).
 */
export const errorData = z.object({
  kind: errorKind,
  message: z.string(),
  hint: z.string().optional(),
  file: z.string().optional(),
  field: z.string().optional(),
  mistake: z.boolean()
})
export type ErrorData = z.infer<typeof errorData>

/** Most characters of a message, a hint or a field: a person is to read them. */
const longestText = 1000
/** Characters that move a terminal's cursor, but for ends of lines and tabs, or turn what stands around them round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text in which what would steer a terminal stands as an escape. */
export function escapeSteering(text: string): string {
  return text.replaceAll(steering, character => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/**
 * Text that may hold pieces of a foreign file, fit to be shown anywhere: blanks for line ends, escapes for what would steer a
 * terminal, and no more than a person reads.
 */
export function legible(text: string): string {
  const cut = text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}…` : text
  return escapeSteering(cut.replaceAll(/[\t\r\n]+/g, ' '))
}

/** The one error type of the project. Throw it with a kind; anything else that is thrown is a defect. */
export class SpliceError extends Error {
  readonly kind: string
  readonly hint: string | undefined
  readonly file: string | undefined
  readonly field: string | undefined
  readonly mistake: boolean

  /** `mistake` defaults to true: most errors are about what the person gave us. What is said is made `legible`. */
  constructor(
    kind: string,
    message: string,
    more: { hint?: string; file?: string; field?: string; mistake?: boolean; cause?: unknown } = {}
  ) {
    super(legible(message), more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'SpliceError'
    this.kind = kind
    this.hint = more.hint === undefined ? undefined : legible(more.hint)
    this.file = more.file
    this.field = more.field === undefined ? undefined : legible(more.field)
    this.mistake = more.mistake ?? true
  }

  /** The error as plain data for another process. */
  toData(): ErrorData {
    return {
      kind: this.kind,
      message: this.message,
      mistake: this.mistake,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.file === undefined ? {} : { file: this.file }),
      ...(this.field === undefined ? {} : { field: this.field })
    }
  }

  /** The error that another process sent. */
  static fromData(data: ErrorData): SpliceError {
    return new SpliceError(data.kind, data.message, data)
  }
}

/** Any thrown value as error data; what is not a SpliceError becomes `engine/internal`. */
export function toErrorData(thrown: unknown): ErrorData {
  if (thrown instanceof SpliceError) return thrown.toData()
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { kind: 'engine/internal', message, mistake: false }
}
