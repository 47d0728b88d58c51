/** How long ago something was, in the largest unit that fits. */

const units: readonly (readonly [string, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000]
]

/** `just now`, `3 minutes ago`, `2 days ago`; `time` and `now` in ms since 1970. */
export function formatAge(time: number, now = Date.now()): string {
  for (const [unit, length] of units) {
    const count = Math.floor((now - time) / length)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'} ago`
  }
  return 'just now'
}
