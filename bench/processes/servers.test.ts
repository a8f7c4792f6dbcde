import { expect, test } from 'vitest'
import { createTestDatabase } from '../../db/testing/test-database.ts'
import { testResources } from '../testing/resources.ts'
import { startService } from './servers.ts'

test('a service beside another one has its own ports and its own spool', async () => {
  const resources = testResources()
  const start = async () => {
    const { url } = await createTestDatabase()
    return startService({ DATABASE_URL: url }, resources)
  }
  const [first, second] = await Promise.all([start(), start()])
  expect(first.port).not.toBe(second.port)
})
