/** Mean L0 as it is written: whole from 100 on, one decimal below where it has one. */
import type { MaybeNumber } from '../../../contract/numbers.ts'
import { formatMetric } from '../../state/numbers.ts'

/** `71`, `14.7`, `3.3`, `139`. */
export function formatL0(value: MaybeNumber): string {
  if (typeof value !== 'number') return formatMetric(value)
  return String(Number(value.toFixed(value >= 100 ? 0 : 1)))
}
