/** The test suites: `unit` beside the code, `cli` on the built command, `e2e` in a browser. */
import { defineConfig } from 'vitest/config'

const pool = 'forks' as const

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
          exclude: ['src/**/*.cli.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        test: { name: 'cli', pool, include: ['src/**/*.cli.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 }
      },
      {
        test: {
          name: 'e2e',
          pool,
          include: ['e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
