import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import type { Evaluator } from './evaluator.ts'
import { DOORS_MAX } from './held-doors.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

/** A temperature at which the database is made to refuse to read the row. */
const UNREADABLE = 6.66
const CENTI = (divisor: string) => `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT (floor($1::float8 * 100 + 0.5) / ${divisor})::integer $$`

/** Reading it takes longer than a statement has. */
const SLOW = `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${UNREADABLE}::real THEN (SELECT 0 FROM pg_sleep(60))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`

const PAGE_ROWS = 100
const MINUTE_MS = 60_000
/** Without a time of its own: it is longer while a door is open. */
const BY_DOORS = { name: 'Warm', condition: { type: 'temperature_above', limit: 5 }, severity: 'critical' }
const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 } }

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('a device whose rows cannot be folded holds up no other one, and is judged once they can', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 60 })
  const first = fleet.startEvaluator()
  await until('it evaluates', () => first.isActive)
  await fleet.commit([[0, 3]])
  await fleet.evaluated()
  await fleet.db.$client.query(CENTI(`(CASE WHEN $1 = ${UNREADABLE}::real THEN 0 ELSE 1 END)`))
  // So that the ledger cannot show what is handed over: its rows are only read where something came late.
  const holder = await fleet.db.$client.connect()
  await holder.query('BEGIN; SELECT pg_current_xact_id()')
  await handOver(first, [
    [5, 6],
    [10, UNREADABLE],
    [20, 6],
    [25, 6],
  ])
  await handOver(first, [[15, 7]])
  await handOver(
    first,
    [
      [5, 6],
      [10, 6],
      [15, 6],
      [20, 3],
      [25, 3],
    ],
    1,
  )
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await holder.query('ROLLBACK')
  holder.release()
  await fleet.evaluated()
  const raised = { rule: 'Too warm', started: 5, triggered: 15 }
  expect(await fleet.alerts()).toMatchObject([{ ...raised, status: 'active', peak: UNREADABLE }])
  expect(await fleet.failures()).toBe(0)
  await first.stop()
  await fleet.db.$client.query(CENTI('1'))
  fleet.startEvaluator()
  await until('what was late is in it', async () => (await fleet.alerts())[0]?.peak === 7)
  expect(await fleet.alerts()).toMatchObject([{ ...raised, status: 'active', confirmed: 20 }])
})

test('a device whose rows take too long to read holds up no other one, also of those that are late with it', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 60 })
  const evaluator = fleet.startEvaluator({ statementTimeoutMs: 1_000 })
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit([[0, 3]])
  await fleet.commit([[0, 3]], 1)
  await fleet.evaluated()
  await fleet.db.$client.query(SLOW)
  const holder = await fleet.db.$client.connect()
  await holder.query('BEGIN; SELECT pg_current_xact_id()')
  const rows = [
    [5, 6],
    [10, UNREADABLE],
    [20, 6],
    [25, 6],
  ] as const
  const live = [
    await fleet.commit(rows),
    await fleet.commit(
      rows.map(([minute]) => [minute, 6]),
      1,
    ),
  ]
  const late = [await fleet.commit([[15, 7]]), await fleet.commit([[15, 7]], 1)]
  for (const batch of [...live, ...late]) hand(evaluator, batch, batch.id)
  await until('the other one is judged', async () => (await fleet.alerts()).some(({ peak }) => peak === 7))
  await holder.query('ROLLBACK')
  holder.release()
  expect(evaluator.notices()).toEqual([expect.stringMatching(/: device \d+; the log/)])
  expect(await fleet.failures()).toBe(0)
})

test('a device that was put off is named until it is folded, also by other rules, or its unit is gone', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 60 })
  const { $client: pool } = fleet.db
  const evaluator = fleet.startEvaluator()
  await fleet.commit([[0, 3]])
  await fleet.commit([[10, UNREADABLE]])
  await fleet.evaluated()
  const broken = CENTI(`(CASE WHEN $1 = ${UNREADABLE}::real THEN 0 ELSE 1 END)`)
  await pool.query(broken)
  await fleet.commit([[5, 7]])
  await until('it is named', () => evaluator.notices().length > 0)
  await pool.query(CENTI('1'))
  await fleet.applyRules([{ ...TOO_WARM, name: 'Another' }])
  await until('it is back', () => evaluator.notices().length === 0)
  await pool.query(broken)
  await fleet.commit([[6, 7]])
  await until('it is named again', () => evaluator.notices().length > 0)
  await pool.query('UPDATE units SET deleted_at = now()')
  await until('it is gone', () => evaluator.notices().length === 0)
})

test('what comes late before a backlog that is still to be judged is part of the state that the backlog meets', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 160 })
  const first = fleet.startEvaluator()
  await fleet.commit([0, 5, 10, 15, 20].map((minute) => [minute, minute === 0 ? 3 : 6]))
  await fleet.evaluated()
  await first.stop()
  await fleet.commit([
    [7, 6],
    [25, 4],
    [30, 4],
  ])
  // Good twice: behind these nothing from before matters. They do not fit into the same page.
  await fleet.commit(Array.from({ length: PAGE_ROWS }, (_, index) => [35 + index, 4]))
  fleet.startEvaluator({ env: { EVALUATOR_PAGE_ROWS_MAX: String(PAGE_ROWS) } })
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, ended: 25 }])
})

test('a reading that was read for another one that came late, before its turn, ends a silence', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit([[0, 3]], 0, 0)
  await until('it is silent', async () => (await fleet.alerts())[0]?.status === 'active')
  // The ledger shows nothing meanwhile.
  const holder = await fleet.db.$client.connect()
  try {
    await holder.query('BEGIN; SELECT pg_current_xact_id()')
    const late = await fleet.commit([[-5, 3]])
    const live = await fleet.commit([[39, 3]])
    hand(evaluator, late, late.id)
    await until('the live one is read', async () => (await newestMs()) === fleet.beginMs + 39 * MINUTE_MS)
    hand(evaluator, live, live.id)
    await until('it is heard', async () => (await fleet.alerts())[0]?.status === 'resolved')
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
  }
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'recovered', ended: 39 }])
})

describe('a door that was open longer ago than doors are held', () => {
  /** Open from 100 to 118, and a lot of other events since. */
  async function openWithDoors(): Promise<Evaluator> {
    fleet = await openEvaluatedFleet({ rules: [BY_DOORS], minutes: 1_400 })
    const evaluator = fleet.startEvaluator()
    await fleet.commitDoors(
      [
        [100, 'open'],
        [118, 'closed'],
      ],
      118,
    )
    return evaluator
  }
  const manyDoors = (fromMinute = 200, stepMinutes = 0.5) =>
    fleet.commitDoors(
      Array.from({ length: DOORS_MAX }, (_, index) => [
        fromMinute + index * stepMinutes,
        index % 2 ? 'closed' : 'open',
      ]),
      1_300,
    )
  const EXCURSION = [95, 100, 105, 110, 115, 120, 125, 130].map(
    (minute) => [minute, minute >= 100 && minute < 120 ? 6 : 3] as const,
  )

  test.each([true, false])(
    'counts for a reading that comes late, restarted (%s) or not',
    async (isRestarted) => {
      const first = await openWithDoors()
      await fleet.commit(EXCURSION, 0, 130)
      await manyDoors()
      await fleet.evaluated()
      if (isRestarted) {
        await first.stop()
        fleet.startEvaluator()
      }
      await fleet.commit([[97, 3]], 0, 1_300)
      await fleet.evaluated()
      expect(await fleet.alerts()).toEqual([])
    },
  )

  test('counts behind more others of a time that is judged again than are read at once', async () => {
    await openWithDoors()
    await fleet.commit([5, 10, 80, 85, 90].map((minute) => [minute, 3]))
    await fleet.commit(EXCURSION, 0, 130)
    await manyDoors(10, 0.03)
    await manyDoors()
    await fleet.evaluated()
    await fleet.commit([[97, 3]], 0, 1_300)
    await fleet.evaluated()
    expect(await fleet.alerts()).toEqual([])
  })

  test('counts for readings that come so late themselves', async () => {
    await openWithDoors()
    await manyDoors()
    await fleet.evaluated()
    await fleet.commit(EXCURSION, 0, 1_300)
    await fleet.evaluated()
    expect(await fleet.alerts()).toEqual([])
  })
})

/** Of the state that is stored. */
async function newestMs(): Promise<number | undefined> {
  const { rows } = await fleet.db.$client.query<{ newestMs: number }>(
    'SELECT (extract(epoch FROM newest_at) * 1000)::float8 AS "newestMs" FROM pipeline.rule_states',
  )
  return rows[0]?.newestMs
}

async function handOver(evaluator: Evaluator, ...given: Parameters<EvaluatedFleet['commit']>): Promise<void> {
  const batch = await fleet.commit(...given)
  hand(evaluator, batch, batch.id)
}
