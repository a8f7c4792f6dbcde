import { defineConfig } from 'vitest/config'
import { SlowTestsFirst } from './slow-tests-first.ts'

/** Slow ones: npm run test:soak. */
const EXCLUDED = ['node_modules/**', '**/*.soak.test.ts']

/** Test files that would disturb others of their process, or be disturbed by them. */
const ALONE = [
  // They replace modules.
  'evaluator/defect.test.ts',
  'faults/defect.test.ts',
  'faults/revoked-in-check.test.ts',
  'faults/spool-failed.test.ts',
  // They measure the memory or the event loop of their process, or block it.
  'broker/frames.test.ts',
  'broker/testing-event-loop.test.ts',
  'faults/pressure.test.ts',
]

const common = {
  pool: 'forks',
  // More than there are cores: most tests wait for a database or a process.
  maxWorkers: 4,
  // Only for what hangs: on a busy machine a process takes long to start.
  testTimeout: 180_000,
  hookTimeout: 120_000,
} as const

export default defineConfig({
  test: {
    sequence: { sequencer: SlowTestsFirst },
    globalSetup: ['db/testing/global-setup.ts'],
    projects: [
      { test: { ...common, name: 'alone', include: ALONE, exclude: EXCLUDED } },
      // One process for many files: to start one, and to load in it what is tested, takes longer than most of them.
      {
        test: {
          ...common,
          name: 'together',
          isolate: false,
          include: ['**/*.test.ts'],
          exclude: [...EXCLUDED, ...ALONE],
        },
      },
    ],
  },
})
