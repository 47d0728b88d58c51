/** The formats Splice reads, those that say more of themselves first. One more is one file and one line here. */
import { connorRob } from './connor-rob.ts'
import { deepSeekR1 } from './deepseek-r1.ts'
import { dictionaryLearning } from './dictionary-learning.ts'
import type { SaeFormat } from './format.ts'
import { gemmaScope } from './gemma-scope.ts'
import { gemmaScope2 } from './gemma-scope-2.ts'
import { goodfire } from './goodfire.ts'
import { llamaScope } from './llama-scope.ts'
import { llamaScopeR1 } from './llama-scope-r1.ts'
import { mwhanna } from './mwhanna.ts'
import { saeLens } from './saelens.ts'
import { sparsify } from './sparsify.ts'

export const formats: readonly SaeFormat[] = [
  gemmaScope,
  gemmaScope2,
  llamaScope,
  llamaScopeR1,
  sparsify,
  saeLens,
  mwhanna,
  dictionaryLearning,
  connorRob,
  goodfire,
  deepSeekR1
]
