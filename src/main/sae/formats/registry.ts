/** The formats Splice reads. One more is one file and one line here. */
import type { SaeFormat } from './format.ts'
import { gemmaScope } from './gemma-scope.ts'

export const formats: readonly SaeFormat[] = [gemmaScope]
