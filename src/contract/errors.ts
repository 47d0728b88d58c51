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

/** The one error type of the project. Throw it with a kind; anything else that is thrown is a defect. */
export class SpliceError extends Error {
  readonly kind: string
  readonly hint: string | undefined
  readonly file: string | undefined
  readonly field: string | undefined
  readonly mistake: boolean

  /** `mistake` defaults to true: most errors are about what the person gave us. */
  constructor(
    kind: string,
    message: string,
    more: { hint?: string; file?: string; field?: string; mistake?: boolean; cause?: unknown } = {}
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'SpliceError'
    this.kind = kind
    this.hint = more.hint
    this.file = more.file
    this.field = more.field
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
