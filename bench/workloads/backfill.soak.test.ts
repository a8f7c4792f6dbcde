import { expect, test } from 'vitest'
import { miniContext, valuesOf } from '../testing/context.ts'
import { runBackfill } from './backfill.ts'

const LOADS = {
  live: { hubs: 3, readingsPerMessage: 2, intervalMs: 20 },
  backlog: { name: 'mini', connections: 3, readingsPerMessage: 10, devices: 60, inFlightMax: 4 },
}

/** Takes a reading of each batch of the backlog away again, with nobody the wiser. */
const LOSE_ROWS = `
  CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM sensor_readings WHERE (recorded_at, device_id) IN (
      SELECT recorded_at, device_id FROM sensor_readings r JOIN organizations o ON o.id = r.organization_id
      WHERE r.batch_id = NEW.id AND o.slug = 'backlog' LIMIT 1);
    RETURN NULL;
  END $$;
  CREATE TRIGGER lose AFTER INSERT ON pipeline.ingest_batches FOR EACH ROW EXECUTE FUNCTION lose()`

/** Measures once, on a database of the test run that is prepared with `sql`. */
async function measure(sql: string, backlogRows: number) {
  const context = { ...(await miniContext({ sql })), backlogRows }
  const { shapes } = await runBackfill(context, LOADS)
  const [result] = shapes
  if (!result) throw new Error('no result')
  return result
}

test('a run counts when the database has what was acknowledged of live hubs and of the backlog', async () => {
  const result = await measure('SELECT 1', 30_000)
  expect(result.problems).toEqual([])
  const values = valuesOf(result)
  expect(values['backlog']).toBeGreaterThan(0)
  for (const percentile of ['p50', 'p99']) {
    const alone = values[`live: publish to PUBACK alone, ${percentile}`] ?? 0
    const beside = values[`live: beside the backlog, ${percentile}`] ?? 0
    expect(Math.min(alone, beside)).toBeGreaterThan(0)
    expect(values[`live: beside, of alone, ${percentile}`]).toBeCloseTo(beside / alone)
  }
})

test('a run does not count when rows of the backlog have vanished, and its figures are left out', async () => {
  const { problems, figures } = await measure(LOSE_ROWS, 30_000)
  expect(problems).toEqual([
    expect.stringMatching(
      /^round 1: backlog: rows in sensor_readings, of the readings acknowledged: \d+, expected 30000$/,
    ),
  ])
  expect(figures).toEqual([])
})
