/** The test suites: `unit` beside the code, `cli` on the built command (e2e/cli), `e2e` in a browser (e2e/browser). */
import { defineConfig } from 'vitest/config'

const pool = 'forks' as const
/** Tests that take minutes; `npm run test:all` adds them. */
const long = process.env.SPLICE_LONG_TESTS === undefined ? ['**/*.long.test.ts'] : []

export default defineConfig({
  test: {
    // Two workers: the tests start engines and inference processes of their own.
    maxWorkers: 2,
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
