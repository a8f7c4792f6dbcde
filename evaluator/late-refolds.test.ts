import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import type { Evaluator } from './evaluator.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

/** A temperature at which the database is made to refuse to read the row. */
const UNREADABLE = 6.66
const CENTI = (divisor: string) => `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT (floor($1::float8 * 100 + 0.5) / ${divisor})::integer $$`

const PAGE_ROWS = 100

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

async function handOver(evaluator: Evaluator, ...given: Parameters<EvaluatedFleet['commit']>): Promise<void> {
  const batch = await fleet.commit(...given)
  hand(evaluator, batch, batch.id)
}
