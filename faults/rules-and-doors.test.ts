/** F64: rules that are changed, disabled or deleted, and doors whose events are lost, while an episode is open. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'
import { JudgedFleet, type Measured, TOO_WARM } from './testing/judged-fleet.ts'

const DOOR = { name: 'Door', condition: { type: 'door_open', for_seconds: 300 }, severity: 'warning' }
const OUT = [15, 10, 5, 0].map((before): Measured => [60 - before, 7])

let service: TestService
let fleets = 0
beforeAll(async () => {
  service = await startTestService({ env: { EVALUATOR_SAVE_MS: '0' } })
})
afterAll(() => service.close())

function open(rules: readonly object[]): Promise<JudgedFleet> {
  fleets += 1
  return JudgedFleet.open(service, { number: fleets, rules, minutes: 60 })
}

async function openRaised(rules: readonly object[] = [TOO_WARM]): Promise<JudgedFleet> {
  const fleet = await open(rules)
  await fleet.publish(OUT)
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  return fleet
}

const RAISED = { rule: 'Too warm', started: 45, triggered: 55, peak: 7 }

test('a rule whose limit is raised beyond the excursion ends it, and nobody is told of a recovery', async () => {
  const fleet = await openRaised()
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 9 } }])
  await until('it has ended', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ ...RAISED, resolution: 'rule_changed' }])
  await until('operators were told', () => fleet.transitions().includes('resolved'))
  expect(await fleet.counts()).toEqual({ alert_raised: 1, alert_resolved: 1, page: 1 })
})

test('a rule whose limit still holds keeps what runs, with its evidence', async () => {
  const fleet = await openRaised()
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 6 } }])
  await fleet.publish([[fleet.nowMinute, 8]])
  await until('it goes on', async () => (await fleet.alerts())[0]?.peak === 8)
  expect(await fleet.alerts()).toMatchObject([{ ...RAISED, peak: 8, status: 'active', resolution: null }])
  expect(await fleet.counts()).toMatchObject({ alert_raised: 1, page: 1 })
})

test.each([
  ['disabled', [{ ...TOO_WARM, enabled: false }]],
  ['deleted', []],
])(
  'a rule that is %s ends what runs; in force again while it is still out, it goes on with the same alert',
  async (_what, rules) => {
    const fleet = await openRaised()
    await fleet.applyRules(rules)
    await until('it has ended', async () => (await fleet.alerts())[0]?.status === 'resolved')
    expect(await fleet.alerts()).toMatchObject([{ ...RAISED, resolution: 'rule_changed' }])
    await fleet.publish([[fleet.nowMinute, 8]])
    await fleet.evaluated()
    expect(await fleet.alerts()).toHaveLength(1)
    await fleet.applyRules([TOO_WARM])
    await fleet.publish([[fleet.nowMinute, 8]])
    await until('it runs again', async () => (await fleet.alerts())[0]?.status === 'active')
    expect(await fleet.alerts()).toMatchObject([{ ...RAISED, peak: 8, resolution: null }])
    expect(await fleet.counts()).toEqual({ alert_raised: 1, alert_resolved: 1, alert_reopened: 1, page: 1 })
  },
)

test('a `closed` that is lost: the door counts as open until the next one', async () => {
  const fleet = await open([DOOR])
  await fleet.publishDoors([[40, 'open']])
  // Open again without having been closed: nothing new.
  await fleet.publishDoors([[50, 'open']])
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Door', status: 'active', started: 40, triggered: 45 }])
  await fleet.publishDoors([[52, 'closed']])
  await until('it has ended', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([
    { started: 40, triggered: 45, ended: 52, resolution: 'recovered' },
  ])
  // What was lost comes after all: it was open twice, and neither time for too long.
  await fleet.publishDoors([[43, 'closed']])
  await until('it is withdrawn', async () => (await fleet.alerts()).length === 0)
  expect(await fleet.counts()).toMatchObject({ alert_raised: 1, alert_withdrawn: 1 })
})

test('an `open` that is lost raises nothing', async () => {
  const fleet = await open([DOOR])
  await fleet.publishDoors([
    [30, 'closed'],
    [45, 'closed'],
    [50, 'open'],
    [52, 'closed'],
  ])
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
})
