/** What programs of the system say of it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const patience = 5000

/** What a program prints, or null where it is not there, fails, or takes too long. */
export async function outputOf(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(program, [...args], { timeout: patience, maxBuffer: 16e6, windowsHide: true })
    return stdout
  } catch {
    // No such program, or none that works: both mean that nothing is known from it.
    return null
  }
}
