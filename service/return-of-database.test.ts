import { expect, test } from 'vitest'
import { CannotGoOnError, untilDatabaseOpened } from './return-of-database.ts'

const newer = new Error('its schema is newer than this program')

test('says why it cannot go on, also when the stop fails, which is logged', async () => {
  const logged: unknown[] = []
  const stopError = new Error('The service did not stop cleanly.')
  const service = { databaseOpened: Promise.reject(newer), stop: () => Promise.reject(stopError) }
  const waiting = untilDatabaseOpened(service, { error: (what: unknown) => void logged.push(what) })
  await expect(waiting).rejects.toThrow(CannotGoOnError)
  await expect(waiting).rejects.toThrow(
    'FrostGuard cannot go on with its database: its schema is newer than this program',
  )
  expect(logged).toEqual([{ err: stopError }])
})

test('stops nothing when it has its database', async () => {
  const service = { databaseOpened: Promise.resolve(), stop: () => Promise.reject(newer) }
  await untilDatabaseOpened(service, { error: () => expect.unreachable() })
})
