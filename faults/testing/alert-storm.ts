import { expect } from 'vitest'
import type { TestService } from '../../contract/testing/service.ts'
import { until } from '../../db/testing/poll.ts'
import { JudgedFleet, type Measured, TOO_WARM } from './judged-fleet.ts'

/** Messages that one recipient gets at once, before they are put together. */
const SINGLES_MAX = 20
const OUT = [15, 10, 5, 0].map((before): Measured => [15 - before, 7])

/**
 * All sensors of an organization are too warm at once. Each has its alert, in the audit log, on MQTT, and in a message to people;
 * of those there are few, as what comes together goes together.
 */
export async function expectStormTold(service: TestService, sensors: number): Promise<void> {
  const fleet = await JudgedFleet.open(service, {
    number: 1,
    rules: [TOO_WARM],
    minutes: 15,
    units: sensors,
    hubs: 1,
  })
  await fleet.publishAll(OUT)
  await until('all are raised', async () => (await fleet.alerts()).length === sensors)
  const alerts = await fleet.alerts()
  expect(alerts.every(({ status, isPaged }) => status === 'active' && isPaged)).toBe(true)
  expect(await fleet.counts()).toEqual({ alert_raised: sensors, page: sensors })
  const [messages] = await service.query<{ messages: number }>(
    `SELECT count(DISTINCT scheduled_at)::int AS messages FROM notification_deliveries`,
  )
  expect(messages?.messages).toBeLessThanOrEqual(SINGLES_MAX + 1)
  await until('operators have heard of each', () => raisedOf(fleet).size === sensors)
  expect(new Set(await fleet.unitStatuses())).toEqual(new Set(['alarm_active']))
  expect(await service.metric('frostguard_evaluator_failures_total')).toBe(0)
}

function raisedOf({ told }: JudgedFleet): Set<string> {
  return new Set(told.flatMap(({ json }) => (json.transition === 'raised' ? [json.alert] : [])))
}
