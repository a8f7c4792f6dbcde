import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

/** Minutes and temperatures: beyond at 5, raised at 15, over at 25 and 30. */
const EXCURSION = [
  [0, 3],
  [5, 5.6],
  [10, 6.1],
  [15, 6.4],
  [20, 4.8],
  [25, 4.4],
  [30, 4.2],
] as const
const RAISED = {
  rule: 'Too warm',
  status: 'resolved',
  started: 5,
  triggered: 15,
  ended: 25,
  peak: 6.4,
  confirmed: 20,
  retrospective: true,
  resolution: 'recovered',
}

test('readings of the ledger become an alert', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  await fleet.commit(EXCURSION)
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([RAISED])
})

test('a batch that is handed over is an alert before the ledger can show it', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit(EXCURSION.slice(0, 1))
  await fleet.evaluated()
  // An open transaction holds the ledger back, for hours if it must be.
  const client = await fleet.db.$client.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    evaluator.committed(await fleet.commit(EXCURSION.slice(1)))
    await until('there is an alert', async () => (await fleet.alerts()).length > 0)
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([RAISED])
})
