/** Which part of a long context is shown: the tokens around the strongest one. */

/** Half-open range of tokens around `at`, at most `before` in front of it and `after` behind; what one side lacks the other gets. */
export function windowAround(length: number, at: number, before = 32, after = 16): [start: number, end: number] {
  const size = Math.min(length, before + 1 + after)
  const start = Math.min(Math.max(at - before, 0), length - size)
  return [start, start + size]
}
