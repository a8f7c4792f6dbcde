import { defineConfig } from 'vitest/config'
import { SlowTestsFirst } from './slow-tests-first.ts'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // Slow ones: npm run test:soak.
    exclude: ['node_modules/**', '**/*.soak.test.ts'],
    sequence: { sequencer: SlowTestsFirst },
    globalSetup: ['db/testing/global-setup.ts'],
    pool: 'forks',
    // More than there are cores: most tests wait for a database or a process.
    maxWorkers: 4,
    // Only for what hangs: on a busy machine a process takes long to start.
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
})
