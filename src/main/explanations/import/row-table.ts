/** A table of rows by hash, in two flat arrays: a million rows take 32 MB, and the garbage collector never looks at them. */

/** Marks a free place; no row has this number. */
const free = 0

export class RowTable {
  #hashes: Float64Array
  #rows: Float64Array
  #mask: number
  size = 0

  constructor(capacity = 1024) {
    this.#hashes = new Float64Array(capacity)
    this.#rows = new Float64Array(capacity)
    this.#mask = capacity - 1
  }

  /** Adds a row, which is not 0, under a hash, a whole number of up to 53 bits; others may be there under the same one. */
  add(hash: number, row: number): void {
    if (this.size * 2 > this.#mask) this.#grow()
    let place = this.#placeOf(hash)
    while (this.#rows[place] !== free) place = (place + 1) & this.#mask
    this.#hashes[place] = hash
    this.#rows[place] = row
    this.size += 1
  }

  /** The first row under a hash that `isIt` says yes to; null where there is none. */
  find(hash: number, isIt: (row: number) => boolean): number | null {
    for (let place = this.#placeOf(hash); ; place = (place + 1) & this.#mask) {
      const row = this.#rows[place] ?? free
      if (row === free) return null
      if (this.#hashes[place] === hash && isIt(row)) return row
    }
  }

  #placeOf(hash: number): number {
    return ((hash >>> 0) ^ Math.floor(hash / 2 ** 32)) & this.#mask
  }

  #grow(): void {
    const [hashes, rows] = [this.#hashes, this.#rows]
    const capacity = rows.length * 2
    this.#hashes = new Float64Array(capacity)
    this.#rows = new Float64Array(capacity)
    this.#mask = capacity - 1
    this.size = 0
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place] ?? free
      if (row !== free) this.add(hashes[place] ?? 0, row)
    }
  }
}
