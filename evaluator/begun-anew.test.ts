// What is handed over is judged, whatever an earlier session has seen, and whatever holds the ledger back.
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

const EXCURSION = [
  [0, 3],
  [5, 5.6],
  [10, 6.1],
  [15, 6.4],
] as const

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('after it has begun anew, it does not wait for what was left to the ledger before', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  await takeLease()
  const evaluator = fleet.startEvaluator()
  const first = await fleet.commit(EXCURSION.slice(0, 1))
  hand(evaluator, first, first.id)
  await freeLease()
  await fleet.evaluated()
  await takeLease()
  await until('it has lost its lease', () => !evaluator.isActive)
  await freeLease()
  await until('it evaluates again', () => evaluator.isActive)
  const second = await fleet.commit(EXCURSION.slice(1))
  hand(evaluator, second, second.id)
  await until('there is an alert', async () => (await fleet.alerts()).length > 0)
})

test('begun while a transaction holds the ledger back, it judges what is handed over', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  await takeLease()
  const evaluator = fleet.startEvaluator()
  const client = await fleet.db.$client.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    const before = await fleet.commit([[-5, 3]])
    hand(evaluator, before, before.id)
    await freeLease()
    await until('it evaluates', () => evaluator.isActive)
    // The first of them may come before it has looked at the ledger: it is left to it.
    await until('there is an alert', async () => {
      const batch = await fleet.commit(EXCURSION.map(([minute, celsius]) => [minute + later(), celsius]))
      await fleet.hideFromLedger(batch.id)
      hand(evaluator, batch, batch.id)
      return (await fleet.alerts()).length > 0
    })
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await fleet.evaluated()
  expect((await fleet.alerts()).length).toBeGreaterThan(0)
})

test('what a transaction has hidden for long does not keep waiting what is handed over', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  const pool = fleet.db.$client
  const client = await pool.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    // Each is a page of its own.
    await pool.query(
      'INSERT INTO pipeline.ingest_batches (id, readings) SELECT g, 100 FROM generate_series(1, 3000) g',
    )
    const evaluator = fleet.startEvaluator({ env: { EVALUATOR_PAGE_ROWS_MAX: '100' } })
    await until('it reads what is hidden', async () => (await fleet.lagSeconds()) > 0)
    const batch = await fleet.commit(EXCURSION)
    await fleet.hideFromLedger(batch.id)
    hand(evaluator, batch, batch.id)
    await until('there is an alert', async () => (await fleet.alerts()).length > 0)
    expect(await fleet.lagSeconds()).toBeGreaterThan(0)
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
})

let laters = 0
/** A device says one thing of one time. */
function later(): number {
  laters += 1
  return laters / 1_000
}

async function takeLease(): Promise<void> {
  await fleet.db.$client.query(
    `INSERT INTO pipeline.leases (name, holder, expires_at) VALUES ('evaluator', 'another', now() + interval '1 hour')
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at`,
  )
}

async function freeLease(): Promise<void> {
  await fleet.db.$client.query('DELETE FROM pipeline.leases')
}
