/** A million rows of one device in PostgreSQL, judged again because a calibration of long ago was put down. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const ROWS = 1_000_000
/** Of the time that it takes, others wait at most for so much in one piece. */
const BLOCKED_SHARE_MAX = 0.1
const POLL_MS = 100
/** A million rows at once would take several times as much. */
const MEMORY_BYTES_MAX = 220_000_000

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('is judged beside other work, in little memory', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const pool = fleet.db.$client
  const fill = {
    text: `INSERT INTO sensor_readings (organization_id, unit_id, device_id, recorded_at, received_at, temperature, source, batch_id)
     SELECT organization_id, unit_id, id, at, at, 4, 'hub', 0 FROM devices,
       generate_series(1, ${ROWS}) n, LATERAL (SELECT to_timestamp($2::float8 / 1000) - n * interval '1 minute' AS at) t WHERE id = $1`,
    values: [fleet.devices[0], fleet.beginMs],
    // Instead of the pool's.
    query_timeout: 600_000,
  }
  await pool.query(fill)
  fleet.startEvaluator()
  await fleet.commit([[1, 4]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
  const atFirst = process.memoryUsage().rss
  const beganMs = performance.now()
  await pool.query(
    `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
     SELECT organization_id, id, 2, now() - interval '10 years' FROM devices WHERE id = $1`,
    [fleet.devices[0]],
  )
  let [blockedMs, bytes] = [0, 0]
  for (let askedMs = 0; ; ) {
    const turnMs = performance.now()
    await nextTurn()
    blockedMs = Math.max(blockedMs, performance.now() - turnMs)
    bytes = Math.max(bytes, process.memoryUsage.rss() - atFirst)
    if (performance.now() < askedMs + POLL_MS) continue
    if ((await fleet.alerts()).length > 0) break
    askedMs = performance.now()
  }
  const tookMs = performance.now() - beganMs
  expect(await fleet.alerts()).toMatchObject([{ started: -ROWS, ended: null, peak: 6, confirmed: ROWS + 1 }])
  expect(blockedMs / tookMs).toBeLessThan(BLOCKED_SHARE_MAX)
  expect(bytes).toBeLessThan(MEMORY_BYTES_MAX)
  expect(await fleet.failures()).toBe(0)
})
