import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'
import { untilShown } from './testing/ledger-shown.ts'

/** Time in which changed rules are noticed. */
const LOOK_MS = 1_500

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
  const batch = await fleet.commit(EXCURSION.slice(1))
  await fleet.hideFromLedger(batch.id)
  hand(evaluator, batch, batch.id)
  await until('there is an alert', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toEqual([RAISED])
})

test('restarted at every step of an excursion, it finds what it would have found in one go', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  for (const reading of EXCURSION) {
    const evaluator = fleet.startEvaluator()
    await fleet.commit([reading])
    await fleet.evaluated()
    await evaluator.stop()
  }
  expect(await fleet.alerts()).toEqual([{ ...RAISED, retrospective: expect.anything() }])
  expect(await raisedEvents()).toBe(1)
})

test('what was committed while nobody evaluated is found as if somebody had', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const first = fleet.startEvaluator()
  await fleet.commit(EXCURSION.slice(0, 4))
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ status: 'active', triggered: 15, ended: null }])
  await first.stop()
  await fleet.commit(EXCURSION.slice(4, 6))
  await fleet.commit(EXCURSION.slice(6))
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ status: 'resolved', triggered: 15, ended: 25 }])
  expect(await raisedEvents()).toBe(1)
})

test('a reading that comes late is judged in its place', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 60 })
  fleet.startEvaluator()
  await fleet.commit([...EXCURSION.slice(0, 2), ...EXCURSION.slice(3), [35, 4], [40, 4.1], [60, 4]])
  await fleet.evaluated()
  // Without the reading of minute 10 there is still no gap: the excursion counts from 5 to 20.
  expect(await fleet.alerts()).toMatchObject([{ started: 5, triggered: 15, ended: 25, peak: 6.4 }])
  await fleet.commit([[7, 4]])
  await fleet.evaluated()
  // It was good in between, so that only 15 to 20 was beyond.
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'withdrawn' }])
})

test('a rule that is changed takes effect within seconds, and what runs keeps its evidence', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  fleet.startEvaluator()
  await fleet.commit(EXCURSION.slice(0, 4))
  await fleet.evaluated()
  const [raised] = await fleet.alerts()
  expect(raised).toMatchObject({ status: 'active', started: 5, triggered: 15, peak: 6.4 })
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 5.5 } }])
  await fleet.commit([[30, 6.6]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ ...raised, peak: 6.6, confirmed: 10 }])
  // Its readings are not beyond this one, so that what runs ends with the change, without a reading.
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 9 } }])
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'rule_changed', started: 5, triggered: 15 }])
})

test('a rule that is changed between two stores of a state loses neither state nor cursor', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_SAVE_MS: '60000' } })
  await until('it evaluates', () => evaluator.isActive)
  const commitAndHand = async (readings: readonly (readonly [number, number])[]) => {
    const batch = await fleet.commit(readings)
    hand(evaluator, batch, batch.id)
  }
  await commitAndHand(EXCURSION.slice(0, 1))
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 5.5 } }])
  await sleep(LOOK_MS)
  await commitAndHand(EXCURSION.slice(1, 2))
  // Its cursor does not pass what the ledger does not show, and nobody comes after it.
  await untilShown(fleet.db.$client)
  await sleep(LOOK_MS)
  await evaluator.stop()
  await fleet.evaluated()
  const { rows } = await fleet.db.$client.query(
    'SELECT extract(epoch FROM newest_at)::float8 * 1000 AS "newestAtMs" FROM pipeline.rule_states',
  )
  expect(rows).toEqual([{ newestAtMs: fleet.beginMs + 5 * 60_000 }])
})

test('a rule that is removed ends what it has raised', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  fleet.startEvaluator()
  await fleet.commit(EXCURSION.slice(0, 4))
  await fleet.evaluated()
  await fleet.applyRules([])
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'rule_changed' }])
})

test('of two evaluators one works, and the other goes on when it ends', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const first = fleet.startEvaluator()
  await until('the first one works', () => first.isActive)
  const second = fleet.startEvaluator()
  await fleet.commit(EXCURSION.slice(0, 4))
  await fleet.evaluated()
  expect([first.isActive, second.isActive]).toEqual([true, false])
  await first.stop()
  await fleet.commit(EXCURSION.slice(4))
  await fleet.evaluated()
  expect(second.isActive).toBe(true)
  expect(await fleet.alerts()).toMatchObject([{ status: 'resolved', triggered: 15, ended: 25 }])
})

test('one that has nothing to write keeps its lease', async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 30 })
  const lease = { env: { EVALUATOR_LEASE_MS: '1000' } }
  const first = fleet.startEvaluator(lease)
  await until('the first one works', () => first.isActive)
  const second = fleet.startEvaluator(lease)
  await sleep(3_000)
  expect([first.isActive, second.isActive]).toEqual([true, false])
})

test.each(['rule_states', 'evaluator_cursors'])(
  'one that takes longer than its lease to begin keeps it, behind a lock on %s',
  async (table) => {
    fleet = await openEvaluatedFleet({ rules: [], minutes: 30 })
    const holder = await fleet.db.$client.connect()
    try {
      await holder.query(`BEGIN; LOCK TABLE pipeline.${table}`)
      const lease = { env: { EVALUATOR_LEASE_MS: '1000' } }
      const first = fleet.startEvaluator(lease)
      await until('the first one begins', async () => (await leaseHolder()) !== undefined)
      const beginner = await leaseHolder()
      const second = fleet.startEvaluator(lease)
      await sleep(2_500)
      expect(await leaseHolder()).toBe(beginner)
      await holder.query('ROLLBACK')
      await until('it works', () => first.isActive)
      expect(second.isActive).toBe(false)
    } finally {
      holder.release()
    }
    expect(await fleet.failures()).toBe(0)
  },
)

test('one whose lease was taken writes nothing more', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await until('it works', () => evaluator.isActive)
  await fleet.db.$client.query(
    `UPDATE pipeline.leases SET holder = 'somebody else', expires_at = now() + interval '1 hour'`,
  )
  await fleet.commit(EXCURSION)
  await until('it has noticed', () => !evaluator.isActive)
  expect(await fleet.alerts()).toEqual([])
  await fleet.db.$client.query('DELETE FROM pipeline.leases')
  await fleet.evaluated()
  expect(await fleet.alerts()).toHaveLength(1)
})

async function leaseHolder(): Promise<string | undefined> {
  const { rows } = await fleet.db.$client.query<{ holder: string }>('SELECT holder FROM pipeline.leases')
  return rows[0]?.holder
}

/** How often the audit log says that an alert was raised. */
async function raisedEvents(): Promise<number> {
  const { rowCount } = await fleet.db.$client.query(`SELECT FROM event_logs WHERE action = 'alert_raised'`)
  return rowCount ?? 0
}
