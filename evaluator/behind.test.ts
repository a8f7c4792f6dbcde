/** What comes late while the evaluator reads what it has missed: it waits, where nothing is lost by that. */
import type { Pool } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { untilShown } from './testing/ledger-shown.ts'

const MINUTES = 1_600
const PAGE_ROWS = 100
const PAGES = 30
/** Backwards in ever larger steps, and forwards: more than these. */
const READS_OF_A_FOLD_MIN = 5
const SMALL_PAGES = { EVALUATOR_PAGE_ROWS_MAX: String(PAGE_ROWS) }

/** Of one of two devices, in order; the other one is good. */
const IN_ORDER: [number, number][] = [0, 20, 25].map((minute) => [minute, 3])
/** Between them: raised at 15. */
const LATE: [number, number][] = [5, 10, 15].map((minute) => [minute, 6])
const RAISED_AND_OVER = { started: 5, triggered: 15, ended: 20 }

/** Notes with each move of the cursor whether something late was stored by then, and whether there was an alert. */
const NOTE_MOVES = `
  CREATE TABLE moves (batch_id int8, is_late boolean, is_alert boolean);
  CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.moves VALUES (NEW.batch_id,
      EXISTS (SELECT FROM pipeline.rule_states WHERE state->'late' IS NOT NULL), EXISTS (SELECT FROM alerts));
    RETURN NEW;
  END $$;
  CREATE TRIGGER note_move BEFORE UPDATE ON pipeline.evaluator_cursors FOR EACH ROW EXECUTE FUNCTION note_move()`

/** A reading of this temperature takes so long to be read that what waits is due before so many pages are read. */
const SLOW_CELSIUS = 3.33
const SLOW_PAGES_COUNT = 12
const SLOW_PAGES = `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN (SELECT 333 FROM pg_sleep(0.7))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const fleetOfTwo = () => openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: MINUTES })

/** A page of the ledger. */
async function commitPage(page: number): Promise<void> {
  const fromMinute = (page * PAGE_ROWS) / 2
  await fleet.commit(
    Array.from({ length: PAGE_ROWS }, (_, index) => [fromMinute + index / 2, 3]),
    1,
  )
}

test('the rows of a device that is late in each page are read once for many of them', async () => {
  fleet = await fleetOfTwo()
  await fleet.commit(IN_ORDER)
  for (let page = 0; page < PAGES; page += 1) {
    const [minute, celsius] = LATE[page % LATE.length] ?? [0, 0]
    await fleet.commit([[minute + page / 100, celsius]])
    await commitPage(page)
  }
  await untilShown(fleet.db.$client)
  const reads = countReads(fleet.evaluatorPool)
  fleet.startEvaluator({ env: SMALL_PAGES })
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Too warm', started: 5, ended: 20 }])
  expect(reads()).toBeGreaterThan(0)
  expect(reads()).toBeLessThan(PAGES * READS_OF_A_FOLD_MIN)
})

test('what waits is stored before the cursor passes it, and judged by whoever comes next', async () => {
  fleet = await fleetOfTwo()
  const pool = fleet.db.$client
  await pool.query(NOTE_MOVES)
  await fleet.commit(IN_ORDER)
  const late = await fleet.commit(LATE)
  for (let page = 0; page < PAGES; page += 1) await commitPage(page)
  await untilShown(pool)
  const first = fleet.startEvaluator({ env: { ...SMALL_PAGES, EVALUATOR_SAVE_MS: '0' } })
  const moves = async () => {
    const { rows } = await pool.query<{ isLate: boolean; isAlert: boolean }>(
      'SELECT is_late AS "isLate", is_alert AS "isAlert" FROM moves WHERE batch_id >= $1',
      [late.id],
    )
    return rows
  }
  await until('the cursor has passed it', async () => (await moves()).length > 0)
  await first.stop()
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([RAISED_AND_OVER])
  expect(await moves()).toContainEqual({ isLate: true, isAlert: false })
  expect(await moves()).not.toContainEqual({ isLate: false, isAlert: false })
})

test('what comes late is judged while the evaluator stays behind, before what is committed behind it', async () => {
  fleet = await fleetOfTwo()
  await fleet.db.$client.query(SLOW_PAGES)
  await fleet.commit(IN_ORDER)
  await fleet.commit(LATE)
  for (let page = 0; page < SLOW_PAGES_COUNT; page += 1) {
    await commitPage(page)
    await fleet.commit([[((page + 1) * PAGE_ROWS) / 2 - 1 / 4, SLOW_CELSIUS]], 1)
  }
  await fleet.commit(
    [5, 10, 15].map((minute) => [MINUTES - 100 + minute, 6]),
    1,
  )
  await untilShown(fleet.db.$client)
  fleet.startEvaluator({ env: SMALL_PAGES })
  await until('it is found', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([RAISED_AND_OVER])
  await fleet.evaluated()
  expect(await fleet.alerts()).toHaveLength(2)
})

test('what comes late where an alert has just ended is judged before anybody is told of its end', async () => {
  fleet = await fleetOfTwo()
  const messages: [number, number][] = [
    [0, 3],
    ...LATE,
    [20, 4],
    [26, 4],
    // Not over: these two are not one after the other.
    [23, 6],
    [31, 6],
  ]
  for (const [index, reading] of messages.entries()) await fleet.commit([reading], 0, 40 + index)
  for (let page = 0; page < PAGES; page += 1) await commitPage(page)
  await untilShown(fleet.db.$client)
  fleet.startEvaluator({ env: SMALL_PAGES })
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, ended: null, status: 'active' }])
  const { rows } = await fleet.db.$client.query(
    `SELECT FROM event_logs WHERE action IN ('alert_resolved', 'alert_reopened')`,
  )
  expect(rows).toEqual([])
})

/** Counts statements that read the rows of certain devices. */
function countReads(pool: Pool): () => number {
  let count = 0
  pool.on('connect', (client) => {
    const { query } = client
    client.query = ((...args: [{ text?: string } | string, ...unknown[]]) => {
      const [first] = args
      const text = typeof first === 'string' ? first : first.text
      if (text?.includes('FROM public.sensor_readings') && text.includes('r.device_id = ')) count += 1
      return Reflect.apply(query, client, args)
    }) as typeof query
  })
  return () => count
}
