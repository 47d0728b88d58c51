/** The test suites: `unit` beside the code, `cli` on the built command (e2e/cli), `e2e` in a browser (e2e/browser), `webgpu` the golden data on a software GPU. */
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const pool = 'forks' as const
const golden = 'src/main/inference/golden'
/** Where SwiftShader is a driver of Vulkan, WebGPU runs without a GPU. */
const swiftShader = process.env.SPLICE_SWIFTSHADER ?? ''

/** Tests that take minutes; `npm run test:all` adds them. */
const long = process.env.SPLICE_LONG_TESTS === undefined ? ['**/*.long.test.ts'] : []

/** Begins with the file that takes longest, so that it is not what all wait for in the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLongest = ({ moduleId }: TestSpecification) => moduleId.endsWith('e2e/browser/accessibility.test.ts')
    return [...sorted.filter(isLongest), ...sorted.filter(file => !isLongest(file))]
  }
}

export default defineConfig({
  test: {
    // Two workers: the tests start engines and inference processes of their own.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          pool,
          include: ['src/**/*.test.ts'],
          exclude: long,
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        // Everything that is held to the golden data, once more with WebGPU in the CPU's place.
        test: {
          name: 'webgpu',
          pool,
          include: [`${golden}/{models,saes,edits,logit-lens,generation,answers,attribution,patching,evaluation,hooks,stages}.test.ts`],
          env: { SPLICE_GOLDEN_PROVIDER: 'webgpu', VK_DRIVER_FILES: swiftShader },
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      },
      {
        test: { name: 'cli', pool, include: ['e2e/cli/**/*.test.ts'], exclude: long, testTimeout: 120_000, hookTimeout: 120_000 }
      },
      {
        test: {
          name: 'e2e',
          pool,
          include: ['e2e/browser/**/*.test.ts'],
          exclude: long,
          // What a person would wait for, on a machine that has other things to do.
          expect: { poll: { timeout: 15_000 } },
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
