/** A read without which nothing goes on waits for so long that devices fall due meanwhile: that is our downtime, not theirs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './testing/evaluated-fleet.ts'

const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 2 } }
/** Two check-ins of five minutes, and half a minute for what is on its way. */
const SILENT_AFTER_MINUTES = 10.5

/** More than the minute from which on it is downtime. */
const WAIT_MS = 75_000
/** The device is due in the middle of it. */
const DUE_AFTER_MS = 30_000
const STATEMENT_TIMEOUT_MS = 10_000
/** Time in which the clock is looked at several times. */
const LOOKS_MS = 5_000
/** The cursor was moved so long before the wait at most, and the test is not exact either. */
const CURSOR_MS = 15_000

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test.each([
  ['pipeline.ingest_batches', 0],
  ['hubs', 0],
  // More than the wait is longer than a minute.
  ['pipeline.ingest_batches', 20_000],
])(
  'nobody is silent for what could not be read while %s was locked for over a minute, the clock of the database being %d ms ahead',
  async (table, aheadMs) => {
    const now = () => Date.now() - aheadMs
    fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 60 })
    const { $client: pool } = fleet.db
    await pool.query(`UPDATE hubs SET is_online = true, status_at = now() - interval '1 hour'`)
    const evaluator = fleet.startEvaluator({ now, statementTimeoutMs: STATEMENT_TIMEOUT_MS })
    const minute = (now() + DUE_AFTER_MS - fleet.beginMs) / 60_000 - SILENT_AFTER_MINUTES
    await fleet.commit([[minute, 3]], 0, minute)
    await fleet.evaluated()
    const client = await pool.connect()
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
    const lockedAtMs = now()
    await sleep(WAIT_MS)
    const freedAtMs = now()
    await client.query('ROLLBACK')
    client.release()
    await until('it evaluates', () => evaluator.isActive)
    await sleep(LOOKS_MS)
    expect(await fleet.alerts()).toEqual([])
    const { rows } = await pool.query<{ part: string; fromMs: number; toMs: number }>(
      `SELECT part, extract(epoch FROM started_at)::float8 * 1000 AS "fromMs", extract(epoch FROM ended_at)::float8 * 1000 AS "toMs"
       FROM pipeline.downtime_intervals`,
    )
    expect(rows).toMatchObject([{ part: 'database' }])
    const [{ fromMs, toMs } = { fromMs: 0, toMs: 0 }] = rows
    expect(fromMs).toBeLessThan(lockedAtMs + CURSOR_MS)
    expect(fromMs).toBeGreaterThan(lockedAtMs - CURSOR_MS)
    expect(toMs).toBeGreaterThanOrEqual(freedAtMs)
  },
)
