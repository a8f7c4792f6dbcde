import { defineConfig } from 'vitest/config'

/** The tests that are too slow for `npm test`, one after the other. */
export default defineConfig({
  test: {
    include: ['**/*.soak.test.ts'],
    exclude: ['node_modules/**'],
    globalSetup: ['db/testing/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
})
