/** Preloaded into every process of a host: the clock stands by as many ms as the file SPLICE_DRILL_CLOCK says, looked at anew each time. */
import fs from 'node:fs'

const file = process.env.SPLICE_DRILL_CLOCK
const RealDate = Date
const offset = () => {
  try {
    return Number(fs.readFileSync(file, 'utf8')) || 0
  } catch {
    return 0
  }
}

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offset())
    else super(...args)
  }
  static now() {
    return RealDate.now() + offset()
  }
}
