import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../db/testing/test-database.ts'
import type { BenchContext, LoadShape } from '../context.ts'
import { testResources } from '../testing/resources.ts'
import { measureThroughput } from './throughput.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 3, readingsPerMessage: 4, devices: 24, inFlightMax: 2 }

/** Takes a reading of the first batch away again, with nobody the wiser. */
const LOSE_A_ROW = `
  CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM sensor_readings WHERE (recorded_at, device_id) IN (
      SELECT recorded_at, device_id FROM sensor_readings WHERE batch_id = NEW.id LIMIT 1)
    AND (SELECT count(*) FROM pipeline.ingest_batches) = 1;
    RETURN NULL;
  END $$;
  CREATE TRIGGER lose AFTER INSERT ON pipeline.ingest_batches FOR EACH ROW EXECUTE FUNCTION lose()`

/** Measures for a second, once, on databases of the test run; each is prepared with `sql`. */
async function measure(sql: string) {
  const context: BenchContext = {
    server: {
      createDatabase: async () => {
        const database = await createTestDatabase()
        const pool = new Pool({ connectionString: database.url })
        await pool.query(sql)
        await pool.end()
        return database
      },
      postmasterPid: undefined,
      describe: async () => ({}),
    },
    seconds: 1,
    warmUpSeconds: 0,
    rounds: 1,
    rawRows: 500,
    serviceSettings: {},
    resources: testResources(),
    progress: () => {},
  }
  const { shapes } = await measureThroughput(context, [SHAPE])
  const [result] = shapes
  if (!result) throw new Error('no result')
  return result
}

test('a run counts when the database has what was acknowledged', async () => {
  const { problems, figures } = await measure('SELECT 1')
  expect(problems).toEqual([])
  const values = Object.fromEntries(figures.map(({ name, values: [value] }) => [name, value]))
  expect(values['acknowledged and committed']).toBeGreaterThan(0)
  expect(values['share of raw COPY']).toBeCloseTo(
    (values['acknowledged and committed'] ?? 0) / (values['raw COPY'] ?? 0),
  )
  expect(values['rows a COPY']).toBeGreaterThanOrEqual(SHAPE.readingsPerMessage)
  expect(Object.keys(values)).toContain('share of bare Aedes')
  if (process.platform !== 'linux') return
  expect(values['FrostGuard: CPU of service for a million readings']).toBeCloseTo(
    ((values['FrostGuard: CPU of service'] ?? 0) / (values['acknowledged and committed'] ?? 0)) * 1e6,
  )
})

test('a run does not count when a row has vanished, and its figures are left out', async () => {
  const { problems, figures } = await measure(LOSE_A_ROW)
  expect(problems).toEqual([
    expect.stringMatching(
      /^round 1: rows in sensor_readings, of the readings acknowledged: \d+, expected \d+ \(-1\)$/,
    ),
  ])
  expect(figures).toEqual([])
})
