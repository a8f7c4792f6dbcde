/** What a unit said last, while something that came late of it cannot be judged. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { untilShown } from './testing/ledger-shown.ts'
import { holdTime, openSteppedSession, type SteppedSession } from './testing/stepped-session.ts'

/** Reading it takes longer than a statement has. */
const SLOW_CELSIUS = 6.66
const SLOW = `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN (SELECT 0 FROM pg_sleep(60))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`
const STATEMENT_MS = 500
const MINUTES = 30
/** So long after a turn the ledger is read again. */
const POLL_MS = 1_000

let fleet: EvaluatedFleet
let stepped: SteppedSession
beforeEach(async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: MINUTES })
  holdTime()
})
afterEach(async () => {
  await stepped.end()
  vi.useRealTimers()
  await fleet.close()
})

async function turn(): Promise<void> {
  await untilShown(fleet.db.$client)
  vi.advanceTimersByTime(POLL_MS)
  while (await stepped.session.turn());
}

async function lastReading(): Promise<{ minute: number; temperature: number }> {
  const { rows } = await fleet.db.$client.query(
    `SELECT ((extract(epoch FROM last_reading_at) * 1000)::float8 - $1) / 60000 AS minute, last_temperature AS temperature
     FROM units`,
    [fleet.beginMs],
  )
  return rows[0]
}

async function open(): Promise<void> {
  const given = { turnMs: 60_000, pageRows: 1_000, statementTimeoutMs: STATEMENT_MS, onSetAside: () => {} }
  stepped = await openSteppedSession(fleet, given)
}

/** Its device was heard to minute 20, and cannot be judged any more: what came late cannot be read. */
async function withSomethingLate(): Promise<void> {
  await open()
  await fleet.commit([
    [10, 3],
    [20, SLOW_CELSIUS],
  ])
  await turn()
  await fleet.db.$client.query(SLOW)
  await fleet.commit([[15, 3]])
  await turn()
  expect(await stepped.refoldsFailed()).toBe(1)
}

test('what is heard while something late waits is what its unit said last', async () => {
  await withSomethingLate()
  expect(await lastReading()).toEqual({ minute: 20, temperature: SLOW_CELSIUS })
  await fleet.commit([[25, 4.25]])
  await turn()
  expect(await lastReading()).toEqual({ minute: 25, temperature: 4.25 })
  // Older than what was heard.
  await fleet.commit([[22, 4.75]])
  await turn()
  expect(await lastReading()).toEqual({ minute: 25, temperature: 4.25 })
})

test('and it is known after a restart', async () => {
  await withSomethingLate()
  await fleet.commit([[25, 4.25]])
  await turn()
  await stepped.end()
  await open()
  await fleet.commit([[26, null]])
  await turn()
  expect(await lastReading()).toEqual({ minute: 26, temperature: 4.25 })
})

test('an offset that is entered meanwhile changes nothing of it until it is judged again', async () => {
  await withSomethingLate()
  await fleet.db.$client.query(
    `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
     SELECT organization_id, id, 2, now() - interval '10 years' FROM devices WHERE id = $1`,
    [fleet.devices[0]],
  )
  await fleet.commit([[26, null]])
  await turn()
  expect(await lastReading()).toEqual({ minute: 26, temperature: SLOW_CELSIUS })
})
