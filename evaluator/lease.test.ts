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
