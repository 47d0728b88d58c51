/** What this machine has to compute with, what of it was tried, and what is missing. */
import { z } from 'zod'
import { provider } from './run.ts'

/** A provider as it was found. Each is tried in a process of its own, with a small graph whose numbers are checked. */
export const triedProvider = z.object({
  provider: provider.exclude(['auto']),
  /**
   * `works`; `fails`: it said why; `crashed`: its process ended; `silent`: no answer in time; `absent`: this build of ONNX Runtime has none.
   */
  state: z.enum(['works', 'fails', 'crashed', 'silent', 'absent']),
  /** Why, where it does not work. */
  reason: z.string().nullable(),
  /** Whether it computes in float16. */
  float16: z.boolean(),
  /** Billions of operations a second in products of float32 matrices, everything on the device; a hint, no benchmark. */
  gigaflops: z.number().nullable(),
  /** What makes it work, where that is known: a command, or a sentence. */
  remedy: z.string().nullable()
})
export type TriedProvider = z.infer<typeof triedProvider>

/** A graphics device, as the system lists it. */
export const graphicsDevice = z.object({
  name: z.string(),
  vendor: z.enum(['nvidia', 'amd', 'intel', 'apple', 'other']),
  driver: z.string().nullable(),
  memoryBytes: z.number().nullable()
})
export type GraphicsDevice = z.infer<typeof graphicsDevice>

/** Software that a provider rests on. `where` is a file or a version, null where it is not there. */
export const driver = z.object({ name: z.string(), neededBy: provider.exclude(['auto']), where: z.string().nullable() })
export type Driver = z.infer<typeof driver>

/** Something that is wrong here and what to do about it. */
export const ailment = z.object({ message: z.string(), remedy: z.string().nullable() })
export type Ailment = z.infer<typeof ailment>

export const doctorReport = z.object({
  version: z.string(),
  platform: z.string(),
  architecture: z.string(),
  node: z.string(),
  onnxRuntime: z.string(),
  processor: z.object({ model: z.string(), count: z.int() }),
  /** `limitBytes`: what a control group allows at most, where it is less than the machine has. */
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number(), limitBytes: z.number().nullable() }),
  home: z.object({ path: z.string(), writable: z.boolean(), freeBytes: z.number().nullable() }),
  devices: z.array(graphicsDevice),
  drivers: z.array(driver),
  providers: z.array(triedProvider),
  /** What keeps Splice itself from working; a provider that does not work is none. */
  ailments: z.array(ailment)
})
export type DoctorReport = z.infer<typeof doctorReport>
