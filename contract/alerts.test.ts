import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { publish } from './testing/clients.ts'
import { acmeFleet, NORTH_HUB, northDevice } from './testing/fleet.ts'
import { startTestService, type TestService } from './testing/service.ts'

const MINUTE_MS = 60_000

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('readings that a hub publishes become an alert, which its operators are told of', async () => {
  await service.applyFleet({
    ...acmeFleet(),
    alert_rules: [
      {
        name: 'Too warm',
        scope: { site: 'North', unit: 'Cooler' },
        condition: { type: 'temperature_above', limit: 5, for_seconds: 600 },
        severity: 'critical',
      },
    ],
  })
  const operator = await service.connect('operator:acme')
  const told: { topic: string; body: Record<string, unknown> }[] = []
  operator.on('message', (topic, payload) => told.push({ topic, body: JSON.parse(payload.toString()) }))
  await operator.subscribeAsync(['v1/orgs/acme/alerts', 'v1/orgs/acme/units/+'], { qos: 1 })
  const hub = await service.connect(NORTH_HUB)
  const nowMs = Date.now()
  const readings = [3, 6, 6.5, 7].map((temperature, index, all) => ({
    device: northDevice(1),
    at: nowMs - (all.length - 1 - index) * 5 * MINUTE_MS,
    temperature,
  }))
  await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, { readings })
  const alerts = () =>
    service.query(`SELECT a.status, a.severity, r.name AS rule, u.name AS unit, u.status AS "unitStatus",
      a.triggered_at = to_timestamp(${nowMs} / 1000.0) AS "isTriggeredNow", a.paged_at IS NOT NULL AS "isPaged"
    FROM alerts a JOIN alert_rules r ON r.id = a.rule_id JOIN units u ON u.id = a.unit_id`)
  await until('there is an alert', async () => (await alerts()).length > 0)
  expect(await alerts()).toEqual([
    {
      status: 'active',
      severity: 'critical',
      rule: 'Too warm',
      unit: 'Cooler',
      unitStatus: 'alarm_active',
      isTriggeredNow: true,
      isPaged: true,
    },
  ])
  const alarms = () =>
    told.filter(({ body }) => body['transition'] === 'raised' || body['status'] === 'alarm_active')
  await until('they are told', () => alarms().length >= 2)
  expect(alarms().map(({ body }) => body)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ transition: 'raised', rule_name: 'Too warm', status: 'active', peak: 7 }),
    ]),
  )
  expect(await service.metric('frostguard_alerts_open{severity="critical"}')).toBe(1)
})
