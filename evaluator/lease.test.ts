import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const LEASE_MS = 1_000

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('a turn that waits for longer than the lease keeps it', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_LEASE_MS: String(LEASE_MS) } })
  await until('it evaluates', () => evaluator.isActive)
  const { $client: pool } = fleet.db
  const client = await pool.connect()
  // The ledger cannot be read.
  await client.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
  try {
    await sleep(LEASE_MS * 3)
    const { rows } = await pool.query('SELECT expires_at > now() AS "isHeld" FROM pipeline.leases')
    expect(rows).toEqual([{ isHeld: true }])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await fleet.commit([[0, 3]])
  await fleet.evaluated()
  expect(await fleet.failures()).toBe(0)
})

test.each([
  ['waits for its answer', 30_000],
  ['is asked again and again', 200],
])('a read that %s ends when another one has the lease', async (_how, statementTimeoutMs) => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const { $client: pool } = fleet.db
  const env = { EVALUATOR_LEASE_MS: String(LEASE_MS) }
  const evaluator = fleet.startEvaluator({ env, statementTimeoutMs })
  await until('it evaluates', () => evaluator.isActive)
  const client = await pool.connect()
  await client.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
  try {
    await until('it waits', async () => (await readersOfTheLedger()) > 0)
    await pool.query(`UPDATE pipeline.leases SET holder = 'another', expires_at = now() + interval '1 hour'`)
    // The table stays locked.
    await until('it has found that', async () => (await fleet.failures()) === 1, LEASE_MS * 20)
    expect([evaluator.isActive, evaluator.failing]).toEqual([false, undefined])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await pool.query('DELETE FROM pipeline.leases')
  await until('it evaluates again', () => evaluator.isActive)
  expect(await fleet.failures()).toBe(1)
})

async function readersOfTheLedger(): Promise<number> {
  const { rows } = await fleet.db.$client.query(
    `SELECT FROM pg_locks WHERE NOT granted AND relation = 'pipeline.ingest_batches'::regclass`,
  )
  return rows.length
}
