/** What a session does with the time of its turns: turn by turn, by a clock that only the test and its reads move on. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { copyUnit } from './testing/copied-units.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'
import { untilShown } from './testing/ledger-shown.ts'
import { holdTime, openSteppedSession } from './testing/stepped-session.ts'

const MINUTES = 5_200
const MINUTE_MS = 60_000
const PAGE_ROWS = 100
/** With a reading that comes late, as many as a page holds. */
const BATCH_ROWS = 90
const TURN_MS = 500
/** A fold takes several reads: more than a turn has. */
const READ_MS = 200
/** The clock is looked at in each turn. */
const LOOK_MS = 1_000
/** What waits is due. */
const WAIT_MS = 5_000
/** What has taken too long is tried again. */
const RETRY_MS = 60_000
/** Reading it takes longer than a statement has. */
const SLOW_CELSIUS = 6.66
const SLOW = `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN (SELECT 0 FROM pg_sleep(60))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`
/** Of one of two devices. */
const GOOD: [number, number][] = [0, 20, 25].map((minute) => [minute, 3])
const OUT: [number, number][] = [5, 10, 15].map((minute) => [minute, 6])

let fleet: EvaluatedFleet
beforeEach(async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: MINUTES })
})
afterEach(async () => {
  vi.useRealTimers()
  await fleet.close()
})

const open = (readMs: number | ((deviceId: number) => number) = 0) =>
  openSteppedSession(fleet, { readMs, turnMs: TURN_MS, pageRows: PAGE_ROWS })

/** Pages of the ledger, perhaps with something late of the first device in each. */
async function commitPages(
  pages: number,
  late: (page: number) => readonly [number, number] | undefined = () => undefined,
): Promise<void> {
  for (let page = 0; page < pages; page += 1) {
    const reading = late(page)
    if (reading) await fleet.commit([reading])
    await fleet.commit(
      Array.from({ length: BATCH_ROWS }, (_, index) => [(page * BATCH_ROWS + index) / 2, 3]),
      1,
    )
  }
  await untilShown(fleet.db.$client)
}

/** With an alert of the first device that runs: what comes late of it does not wait while there is time. */
async function openWithAlert(readMs: number | ((deviceId: number) => number)) {
  await fleet.commit(OUT)
  await untilShown(fleet.db.$client)
  holdTime()
  const stepped = await open(readMs)
  await stepped.session.turn()
  expect(await fleet.alerts()).toMatchObject([{ status: 'active' }])
  return stepped
}

test('what has waited is judged with the last page, though that is of other units, and what is handed over then is taken', async () => {
  const { $client: pool } = fleet.db
  await copyUnit(pool, 1)
  await fleet.commit(GOOD)
  await fleet.commit(OUT)
  await commitPages(5)
  await pool.query(
    `UPDATE sensor_readings SET (unit_id, device_id) =
       (SELECT unit_id, id FROM devices WHERE unit_id <> $1 ORDER BY id LIMIT 1) WHERE device_id = $2`,
    [fleet.unitId, fleet.devices[1]],
  )
  holdTime()
  const { session, handOver, end } = await open()
  // The clock stands: nothing is due by it any more after the first turn.
  let turns = 1
  for (; await session.turn(); turns += 1) if (turns <= 3) expect(await fleet.alerts()).toEqual([])
  expect(turns).toBeGreaterThanOrEqual(4)
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, ended: 20 }])
  const batch = await fleet.commit([[1_000, 3]])
  handOver.takeDropped()
  hand({ handOver }, batch, batch.id)
  expect(handOver.takeDropped()).toBe(0)
  await end()
})

test('while it catches up, what may wait is folded every five seconds, not with each look of the clock', async () => {
  await fleet.commit(GOOD)
  await commitPages(26, (page) => [1 + page / 100, 3])
  holdTime()
  const { session, refolds, end } = await open()
  let turns = 0
  for (; await session.turn(); turns += 1) {
    if (turns < 5) expect(await refolds()).toBe(0)
    vi.advanceTimersByTime(LOOK_MS)
  }
  expect(turns).toBeGreaterThan(20)
  expect(await refolds()).toBeGreaterThan(2)
  // And once more at the end.
  expect(await refolds()).toBeLessThanOrEqual(turns / 5 + 1)
  await end()
})

test('where nothing had come late when it was due, what does next has its turn with the next look', async () => {
  const quietPages = 8
  await fleet.commit(GOOD)
  await commitPages(16, (page) => (page === quietPages ? [1, 3] : undefined))
  holdTime()
  const { session, refolds, end } = await open()
  let turns = 0
  for (; (await refolds()) === 0 && (await session.turn()); turns += 1) vi.advanceTimersByTime(LOOK_MS)
  expect(turns).toBeGreaterThan(WAIT_MS / LOOK_MS)
  expect(turns).toBeLessThanOrEqual(quietPages + 2)
  await end()
})

test('where the time of a turn is not enough for what runs, that waits too, until what is due has had enough', async () => {
  const { session, refolds, end } = await openWithAlert(READ_MS)
  await commitPages(56, (page) => [6 + page / 10, 6])
  const foldedAtMs: number[] = []
  let before = await refolds()
  while (await session.turn()) {
    if ((await refolds()) > before) foldedAtMs.push(performance.now())
    before = await refolds()
    vi.advanceTimersByTime(LOOK_MS / 2)
  }
  // The first page found time for it. The last fold is that at the end.
  const betweenMs = foldedAtMs.slice(1, -1).map((atMs, index) => atMs - (foldedAtMs[index] ?? 0))
  expect(betweenMs.length).toBeGreaterThan(1)
  expect(Math.min(...betweenMs)).toBeGreaterThan(WAIT_MS)
  await end()
})

test('then folding takes a quarter of the time, also where what is due is quick', async () => {
  let foldingMs = 0
  const { session, end } = await openWithAlert((deviceId) => {
    const tookMs = deviceId === fleet.devices[0] ? READ_MS * 5 : 0
    foldingMs += tookMs
    return tookMs
  })
  const pages = 100
  for (let page = 0; page < pages; page += 1) {
    // Late for the device with the alert, whose rows are slow, in every second page.
    const isSlow = page % 2 === 0
    if (isSlow) await fleet.commit([[6 + page / 10, 6]])
    // Late for the other one, whose rows are not.
    if (page > 0) await fleet.commit([[page * 50 - 10.25, 3]], 1)
    const rows = PAGE_ROWS - Number(isSlow) - Number(page > 0)
    await fleet.commit(
      Array.from({ length: rows }, (_, index) => [(page * PAGE_ROWS + index) / 2, 3]),
      1,
    )
  }
  await untilShown(fleet.db.$client)
  foldingMs = 0
  const startedAtMs = performance.now()
  while (await session.turn()) vi.advanceTimersByTime(LOOK_MS)
  expect(foldingMs / (performance.now() - startedAtMs)).toBeLessThan(0.3)
  expect(foldingMs).toBeGreaterThan(0)
  await end()
})

test('what only the clock finds late has its turn, though messages have used up the time of each', async () => {
  const { $client: pool } = fleet.db
  await fleet.commit(OUT, 0, 20)
  await untilShown(pool)
  holdTime()
  const first = await open(READ_MS)
  await first.session.turn()
  await first.end()
  await copyUnit(pool, 1)
  await pool.query(
    `UPDATE pipeline.rule_states SET state = state || jsonb_build_object('late',
       jsonb_build_object('fromMs', $1::int8, 'toMs', $1::int8)) WHERE unit_id <> $2`,
    [fleet.beginMs + 10 * MINUTE_MS, fleet.unitId],
  )
  const left = async () => {
    const ofCopy = `SELECT FROM pipeline.rule_states WHERE state ? 'late' AND unit_id <> $1`
    return (await pool.query(ofCopy, [fleet.unitId])).rowCount
  }
  expect(await left()).toBe(1)
  const { session, refolds, end } = await open(READ_MS)
  for (let turn = 0; turn < 4; turn += 1) {
    // Late, and behind it in order: the one is folded before the other is judged.
    await fleet.commit([[6 + turn / 10, 6]], 0, 30 + turn * 2)
    await fleet.commit([[20 + turn * 5, 6]], 0, 31 + turn * 2)
    await untilShown(pool)
    await session.turn()
    vi.advanceTimersByTime(LOOK_MS)
  }
  // In rounds of their own.
  expect(await refolds()).toBeGreaterThanOrEqual(4)
  expect(await left()).toBe(0)
  await end()
})

test('a device whose rows take too long to read has its rest, also when a rule of its unit changes', async () => {
  await fleet.commit([
    [0, 3],
    [10, SLOW_CELSIUS],
  ])
  await untilShown(fleet.db.$client)
  holdTime()
  const given = { turnMs: TURN_MS, pageRows: PAGE_ROWS, statementTimeoutMs: 500, onSetAside: () => {} }
  const { session, refoldsFailed, end } = await openSteppedSession(fleet, given)
  await session.turn()
  await fleet.db.$client.query(SLOW)
  await fleet.commit([[5, 3]])
  await untilShown(fleet.db.$client)
  await session.turn()
  expect(await refoldsFailed()).toBe(1)
  await fleet.applyRules([{ ...TOO_WARM, name: 'Another' }])
  for (const [afterMs, failed] of [
    [RETRY_MS - 1, 1],
    [1 + LOOK_MS, 2],
  ] as const) {
    vi.advanceTimersByTime(afterMs)
    await session.turn()
    expect(await refoldsFailed()).toBe(failed)
  }
  await end()
})
