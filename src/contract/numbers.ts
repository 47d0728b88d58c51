import { z } from 'zod'

/** A number that may be undefined (null) or not finite (by name): JSON has no other way to say so. */
export const maybeNumber = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]).nullable()
export type MaybeNumber = z.infer<typeof maybeNumber>

/** A float as the contract carries it. */
export function toMaybeNumber(value: number | null | undefined): MaybeNumber {
  if (value === null || value === undefined) return null
  if (Number.isFinite(value)) return value
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

/** The float behind a contract number; null stays null. */
export function fromMaybeNumber(value: MaybeNumber): number | null {
  return value === null ? null : Number(value)
}
