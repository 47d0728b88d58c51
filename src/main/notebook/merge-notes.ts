/** Two notes on one feature become one that has all that either says. */

/** The note there and one that an import brings: whichever contains the other, else both, one below the other. */
export function mergeNotes(present: string | null, brought: string): string {
  if (present === null || brought.includes(present)) return brought
  return present.includes(brought) ? present : `${present}\n\n${brought}`
}
