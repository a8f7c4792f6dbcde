/** Somebody has left a transaction open, over every table that the service uses: it starts and commits as ever. */
import type { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { startTestService } from '../contract/testing/service.ts'
import { closePartitions } from '../db/partition-closing.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase } from '../db/testing/test-database.ts'
import { JudgedFleet, TOO_WARM } from './testing/judged-fleet.ts'
import { startLoadedService } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'

test('an idle transaction delays neither the start nor a commit', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  await onServer(database.url, async (idle) => {
    const tables = await idle.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'pipeline')`,
    )
    expect(tables.rows.length).toBeGreaterThan(20)
    // A snapshot, a transaction id, and a lock on every table, as after a forgotten session with reads and writes.
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE of_somebody AS SELECT 1')
    for (const { name } of tables.rows) await idle.query(`SELECT FROM ${name} LIMIT 1`)
    const service = await startLoadedService({
      databaseUrl: database.url,
      // A busy machine alone must not send anything to the spool.
      env: { INGEST_HOLD_MS: '30000' },
    })
    onTestFinished(() => service.close())
    const load = service.load()
    await service.acknowledges(500)
    await load.stop()
    await service.expectAllStored()
    expect(await service.metric('frostguard_readings_spooled_total')).toBe(0)
    await idle.query('ROLLBACK')
  })
})

const WARM = [
  [0, 7],
  [5, 7],
  [10, 7],
] as const

// The evaluator reads from the ledger what was not handed over in memory.
test.each([
  ['handed over', {}],
  ['read from the ledger', { EVALUATOR_HANDED_ROWS_MAX: '0' }],
])('readings that are %s become an alert while it is open', async (_, env) => {
  const service = await startTestService({ env })
  onTestFinished(() => service.close())
  const fleet = await JudgedFleet.open(service, { number: 1, rules: [TOO_WARM], minutes: 15 })
  await onServer(service.url, async (idle) => {
    await idle.query('BEGIN; SELECT pg_current_xact_id()')
    await fleet.publish(WARM)
    await until('it is raised', async () => (await fleet.alerts()).length > 0)
    await until('operators were told', () => fleet.transitions().includes('raised'))
    await idle.query('ROLLBACK')
  })
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ started: 0, triggered: 10, isPaged: true }])
  expect(await fleet.counts()).toEqual({ alert_raised: 1, page: 1 })
})

async function isClosed(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index WHERE indexrelid = to_regclass('sensor_readings_2016_device_key') AND indisvalid
       AND to_regclass('sensor_readings_2016_time_key') IS NULL`,
  )
  return rowCount === 1
}

async function isClosingWaiting(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%INDEX CONCURRENTLY%'
       AND wait_event_type = 'Lock'`,
  )
  return rowCount === 1
}

test('an alert is raised while a partition is closed that waits for a transaction which somebody left open', async () => {
  const service = await startTestService()
  onTestFinished(() => service.close())
  const fleet = await JudgedFleet.open(service, { number: 1, rules: [TOO_WARM], minutes: 15 })
  await onServer(service.url, async (idle) => {
    await idle.query(
      `CREATE UNIQUE INDEX sensor_readings_2016_time_key ON sensor_readings_2016 (recorded_at, device_id);
       DROP INDEX sensor_readings_2016_device_key`,
    )
    await idle.query('BEGIN; SELECT count(*) FROM sensor_readings_2016')
    await onServer(service.url, async (closer) => {
      const closing = closePartitions(closer, new Date())
      await until('closing waits', () => onServer(service.url, isClosingWaiting))
      await fleet.publish(WARM)
      await until('operators were told', () => fleet.transitions().includes('raised'))
      expect(await isClosed(idle)).toBe(false)
      await idle.query('ROLLBACK')
      await closing
      // The service may have begun to close it first.
      await until('it is closed', () => isClosed(closer))
    })
  })
})
