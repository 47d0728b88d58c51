/** The doctor's report, as it was asked for last. */
import type { DoctorReport } from '../../contract/doctor.ts'
import type { ErrorData } from '../../contract/errors.ts'
import { client, errorOf } from './connection.svelte.ts'

class Doctor {
  report = $state.raw<DoctorReport | null>(null)
  error = $state.raw<ErrorData | null>(null)
  isLooking = $state(false)

  /** Has everything looked at and every provider tried, which takes some seconds. */
  async look(): Promise<void> {
    if (this.isLooking) return
    this.isLooking = true
    try {
      this.report = await client.engine.doctor()
      this.error = null
    } catch (thrown) {
      this.error = errorOf(thrown)
    } finally {
      this.isLooking = false
    }
  }
}

export const doctor = new Doctor()
