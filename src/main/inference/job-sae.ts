/** An SAE as a job names it: what the person says of it, and what its release says. */
import { z } from 'zod'
import { runSae } from '../../contract/run.ts'

export const jobSae = runSae.omit({ source: true }).extend({
  release: z.object({ normFactor: z.number().nullable(), normalisation: z.literal('constant_norm_rescale').nullable() }).optional()
})
