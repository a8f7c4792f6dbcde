import { expect, test } from 'vitest'
import { configurationFile, parametersFor } from './server-parameters.ts'

const GB = 1_073_741_824

test.each([
  ['a small machine', { memoryBytes: 0.5 * GB, freeDiskBytes: 100 * GB }, '64MB', '1024MB'],
  ['a laptop', { memoryBytes: 8 * GB, freeDiskBytes: 100 * GB }, '1024MB', '2048MB'],
  ['a large server', { memoryBytes: 256 * GB, freeDiskBytes: 4_000 * GB }, '2048MB', '4096MB'],
  ['a nearly full disk', { memoryBytes: 8 * GB, freeDiskBytes: 4 * GB }, '1024MB', '512MB'],
  ['a full disk', { memoryBytes: 8 * GB, freeDiskBytes: 0 }, '1024MB', '128MB'],
])('%s', (_name, machine, sharedBuffers, maxWalSize) => {
  expect(parametersFor(machine)).toMatchObject({ shared_buffers: sharedBuffers, max_wal_size: maxWalSize })
})

test('a quote in a value does not end it', () => {
  expect(configurationFile({ a: "it's", b: '1' })).toMatch(/\na = 'it''s'\nb = '1'\n$/)
})
