import type { Pool, PoolClient } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

/** BEGIN; states, episodes and what there is; alerts; what paging knows; pages and locks; messages and audit log; count; COMMIT. */
const TRIPS_MAX = 8

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

interface Counted {
  sent: string
  trips: number
}

/** What was sent over a connection from when it was taken from the pool until it was given back, and in how many round trips. */
function countTrips(pool: Pool): Counted[] {
  const all: Counted[] = []
  const last = new WeakMap<PoolClient, Counted>()
  const countOf = (client: PoolClient) => last.get(client) ?? { sent: '', trips: 0 }
  pool.on('acquire', (client) => {
    if (!last.has(client)) {
      const { query } = client
      client.query = ((...args: [{ text?: string } | string, ...unknown[]]) => {
        const [first] = args
        countOf(client).sent += typeof first === 'string' ? first : first.text
        return Reflect.apply(query, client, args)
      }) as typeof query
      // Told when all that was sent is answered.
      client.on('drain', () => {
        countOf(client).trips += 1
      })
    }
    const counted = { sent: '', trips: 0 }
    last.set(client, counted)
    all.push(counted)
  })
  return all
}

test('a turn that raises an alert takes few round trips, however many statements it needs', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  const transactions = countTrips(fleet.evaluatorPool)
  const batch = await fleet.commit([
    [5, 5.6],
    [10, 6.1],
    [15, 6.4],
  ])
  hand(evaluator, batch, batch.id)
  await until('there is an alert', async () => (await fleet.alerts()).length > 0)
  await fleet.evaluated()
  const [raising] = transactions.filter(({ sent }) => sent.includes('INSERT INTO public.alerts'))
  expect(raising?.sent).toContain('outgoing_messages')
  expect(raising?.sent).toContain('event_logs')
  expect(raising?.trips).toBeGreaterThan(1)
  expect(raising?.trips).toBeLessThanOrEqual(TRIPS_MAX)
})
