import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import type { CommittedBatch } from '../ingest/committed.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

/** All of them arrive behind what they have measured. */
const LAST_MINUTE = 30

type Readings = Parameters<EvaluatedFleet['commit']>[0]

/** Messages, oldest first: beyond from 5 on, raised at 15. */
const RAISED: Readings[] = [[[0, 3]], [[5, 5.5]], [[15, 5.6]]]
/** It was good at 10, and is again at 20. */
const DISPROVED: Readings[] = [...RAISED, [[10, 4]], [[20, 4.2]], [[25, 4]]]

test('what is raised and disproved while nobody evaluates is withdrawn, message by message', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  await commitInTurn(DISPROVED)
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, resolution: 'withdrawn' }])
})

test('the readings of one message are judged as a whole', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  await commitInTurn([DISPROVED.flat()])
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
})

test.each([
  { name: 'an excursion that ends within its message pages nobody', messages: 1, pages: 0 },
  { name: 'one that ends in the next message has paged', messages: 2, pages: 1 },
])('$name', async ({ messages, pages }) => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 22 })
  const out: Readings = [5, 10, 15, 20].map((minute) => [minute, 6] as const)
  const end: Readings = [21, 22].map((minute) => [minute, 4] as const)
  await commitInTurn(messages === 1 ? [[...out, ...end]] : [out, end])
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ started: 5, status: 'resolved', retrospective: pages === 0 }])
  const { rows } = await fleet.db.$client.query(`SELECT FROM notification_deliveries WHERE kind = 'page'`)
  expect(rows).toHaveLength(pages)
})

test('what is handed over together is judged in the order in which its messages arrived', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  await handOver(async () => {
    const batches: CommittedBatch[] = []
    for (const readings of DISPROVED) batches.push(inMessages(await fleet.commit(readings), batches.length))
    // Live messages are committed before older ones.
    return [...batches.slice(-1), ...batches.slice(0, -1)].map((batch, index) => ({
      ...batch,
      id: batches[index]?.id ?? 0n,
    }))
  })
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, resolution: 'withdrawn' }])
})

test('a backlog in thousands of messages has the alerts of its readings', async () => {
  const count = 4_000
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: count })
  // Every 40 minutes beyond for 20: more alerts than a turn writes one by one.
  const readings = Array.from({ length: count }, (_, minute) => [minute, minute % 40 < 20 ? 6 : 4] as const)
  await handOver(async () => [inMessages(await fleet.commit(readings))])
  const alerts = await fleet.alerts()
  expect(alerts).toHaveLength(count / 40)
  expect(alerts[0]).toMatchObject({ started: 0, triggered: 10, ended: 20 })
})

/** Hands batches over to an evaluator, together, before the ledger can show them. */
async function handOver(commit: () => Promise<CommittedBatch[]>): Promise<void> {
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit([[-5, 3]])
  await fleet.evaluated()
  const client = await fleet.db.$client.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    const batches = await commit()
    for (const batch of batches) hand(evaluator, batch, batches.at(-1)?.id ?? 0n)
    await until('there are alerts', async () => (await fleet.alerts()).length > 0)
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await fleet.evaluated()
}

/** Each reading in a message of its own. */
function inMessages(batch: CommittedBatch, first = 0): CommittedBatch {
  return { ...batch, readings: batch.readings.map((row, index) => ({ ...row, message: at(first + index) })) }
}

function at(arrivedAtMs: number) {
  return { arrival: { arrivedAtMs } }
}

/** Each in a batch of its own, a minute of arrival after the other. */
async function commitInTurn(messages: readonly Readings[]): Promise<void> {
  for (const [index, readings] of messages.entries()) await fleet.commit(readings, 0, LAST_MINUTE + index)
}
