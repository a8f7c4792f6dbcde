import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../../db/testing/test-database.ts'
import { createHistory } from './history.ts'

test('a history ends now, in partitions that have been closed but for the present', async () => {
  const database = await createTestDatabase()
  const untilMs = Date.UTC(2026, 10, 21, 17)
  const shape = { slug: 'past', euiPrefix: 'be', hubs: 4, devices: 10 }
  const devices = await createHistory(database.url, { ...shape, rows: 40_001, untilMs })
  const client = new Client({ connectionString: database.url })
  await client.connect()
  onTestFinished(async () => {
    await client.end()
    await database.drop()
  })
  const { rows } = await client.query(
    `SELECT count(*)::int AS rows, count(DISTINCT device_id)::int AS devices,
       extract(epoch FROM max(recorded_at)) * 1000 AS newest, extract(epoch FROM min(recorded_at)) * 1000 AS oldest,
       (SELECT sum(readings)::int FROM pipeline.ingest_batches) AS ledger
     FROM sensor_readings`,
  )
  expect(rows[0]).toMatchObject({ rows: 40_001, devices: 10, ledger: 40_001 })
  expect(Number(rows[0]?.newest)).toBeLessThan(untilMs)
  expect(Number(rows[0]?.newest)).toBeGreaterThan(untilMs - 900_000)
  // Ten devices, a reading in five minutes: two weeks.
  expect((untilMs - Number(rows[0]?.oldest)) / 86_400_000).toBeCloseTo(13.9, 1)

  const keys = await client.query(
    `SELECT DISTINCT r.tableoid::regclass AS partition, pg_get_indexdef(i.indexrelid) ~ 'device_id, recorded_at' AS closed
     FROM sensor_readings r JOIN pg_index i ON i.indrelid = r.tableoid AND i.indisunique ORDER BY partition`,
  )
  expect(keys.rows).toEqual([{ partition: 'sensor_readings_2026_11', closed: false }])

  const units = await client.query(
    'SELECT count(DISTINCT unit_id)::int AS units FROM devices WHERE id = ANY ($1)',
    [devices.map(({ id }) => id)],
  )
  expect(units.rows[0]?.units).toBe(4)
})
