/** Which tokens of two prompts are the same: a longest common subsequence of their ids. */

/** For every position of `one`, the position of the same token in `other`, or null. Positions never cross. */
export function alignTokens(one: readonly number[], other: readonly number[]): (number | null)[] {
  const aligned: (number | null)[] = one.map(() => null)
  let start = 0
  while (start < one.length && start < other.length && one[start] === other[start]) {
    aligned[start] = start
    start += 1
  }
  let [end, otherEnd] = [one.length, other.length]
  while (end > start && otherEnd > start && one[end - 1] === other[otherEnd - 1]) {
    end -= 1
    otherEnd -= 1
    aligned[end] = otherEnd
  }
  const [rows, columns] = [end - start, otherEnd - start]
  const width = columns + 1
  // longest[i * width + j]: how many tokens from i and j on can be paired.
  const longest = new Uint32Array((rows + 1) * width)
  const at = (row: number, column: number) => longest[row * width + column] ?? 0
  const isSame = (row: number, column: number) => one[start + row] === other[start + column]
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const best = isSame(row, column) ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
      longest[row * width + column] = best
    }
  }
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (isSame(row, column)) {
      aligned[start + row] = start + column
      row += 1
      column += 1
    } else if (at(row + 1, column) >= at(row, column + 1)) row += 1
    else column += 1
  }
  return aligned
}
