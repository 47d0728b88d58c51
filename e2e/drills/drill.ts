/** A drill: a fault that is made for real, again and again, and what must hold after it. */

/** What attempts of a drill work with. */
export interface DrillTools {
  /** A folder that is gone after the drill. */
  readonly folder: string
  /** Numbers in [0, 1), the same for the same seed. */
  readonly random: () => number
}

/** A drill that stands ready. An attempt makes the fault and throws what does not hold after it. */
export interface OpenDrill {
  attempt(round: number): Promise<void>
  close(): Promise<void>
}

export interface Drill {
  /** The name of its file. */
  readonly name: string
  /** The fault, as the table has it. */
  readonly fault: string
  /** How often it is tried in the whole round, and in the short one of `npm test`; 0 leaves it out there. */
  readonly times: number
  readonly quick: number
  /** Why it cannot be tried here; null where it can. */
  readonly unable?: () => string | null
  open(tools: DrillTools): Promise<OpenDrill>
}

/** What came of a drill's attempts. */
export interface DrillOutcome {
  readonly drill: Drill
  readonly tried: number
  readonly survived: number
  /** Why it was not tried; null where it was. */
  readonly skipped: string | null
  /** What did not hold, attempt by attempt. */
  readonly losses: readonly string[]
  readonly seconds: number
}

/** Throws with `message` unless something holds. */
export function must(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message)
}

/** Why what needs mounts cannot be tried here; null where it can. */
export function needsRoot(): string | null {
  return process.platform === 'linux' && process.getuid?.() === 0 ? null : 'it mounts a small disk, for which one has to be root on Linux'
}

/** Why what looks into /proc cannot be tried here; null where it can. */
export function needsLinux(): string | null {
  return process.platform === 'linux' ? null : 'it looks into /proc, which Linux alone has'
}
