import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changed, exampleFleet } from '../../db/fleet/testing/example-fleet.ts'
import { type FleetFixture, openFleetFixture } from '../../db/fleet/testing/fleet-fixture.ts'
import type { RuleTrack, UnitConfig } from '../core/types.ts'
import { loadUnitConfigs } from './unit-configs.ts'

const UNIT = 'sites[0].areas[0].units[0]'
const SITE = { site: 'Berlin Mitte' }
const above = (limit: number) => ({ type: 'temperature_above', limit })

let fixture: FleetFixture

beforeEach(async () => {
  fixture = await openFleetFixture()
})

afterEach(async () => {
  await fixture?.close()
})

const load = (unitIds?: number[]) => loadUnitConfigs(fixture.db.$client, unitIds)

async function onlyUnit(): Promise<UnitConfig> {
  const [unit, ...more] = await load()
  if (!unit || more.length > 0) throw new Error('Not one unit')
  return unit
}

/** The example with these rules instead of its own. Waits, so that two changes have two times. */
async function applyRules(
  ...rules: { name: string; condition: object; scope?: object; enabled?: boolean }[]
) {
  await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
  const given = rules.map((rule) => ({ severity: 'critical', ...rule }))
  await fixture.apply(changed(exampleFleet(), { alert_rules: given }), { prune: true })
}

const trackOf = (unit: UnitConfig, name: string, type = 'temperature_above') =>
  unit.tracks.find((track) => track.name === name && track.conditionType === type)

const limitsOf = (track: RuleTrack | undefined) =>
  track?.versions.map(({ condition }) => ('limitCenti' in condition ? condition.limitCenti : null))

test('a unit with its devices, limits and rules', async () => {
  await fixture.apply(exampleFleet())
  const unit = await onlyUnit()
  expect(unit).toEqual({
    unitId: expect.any(Number),
    organizationId: await fixture.organizationId(),
    siteId: expect.any(Number),
    tempMinCenti: 0,
    tempMaxCenti: 500,
    manualMonitoringRequired: false,
    monitoringEnabled: true,
    timezone: 'Europe/Berlin',
    devices: [
      {
        deviceId: expect.any(Number),
        hubId: expect.any(Number),
        deviceType: 'temperature',
        hasTemperature: true,
        intervalMs: [{ fromMs: -Infinity, value: 300_000 }],
      },
    ],
    tracks: [
      {
        ruleId: expect.any(Number),
        name: 'Cooler too warm',
        conditionType: 'temperature_above',
        alertType: 'alarm_active',
        versions: [
          {
            version: 1,
            fromMs: -Infinity,
            toMs: Infinity,
            condition: {
              type: 'temperature_above',
              limitCenti: 500,
              hysteresisCenti: 50,
              inclusive: false,
              forMs: 600_000,
            },
            severity: 'critical',
            triggers: { by: 'received', fromMs: expect.closeTo(Date.now(), -5) },
          },
        ],
      },
      {
        ruleId: null,
        name: 'temp_min',
        conditionType: 'temperature_below',
        alertType: 'alarm_active',
        versions: [
          {
            version: 1,
            fromMs: -Infinity,
            toMs: Infinity,
            condition: {
              type: 'temperature_below',
              limitCenti: 0,
              hysteresisCenti: 50,
              inclusive: false,
              forMs: null,
            },
            severity: 'critical',
            triggers: { by: 'received', fromMs: -Infinity },
          },
        ],
      },
    ],
  })
})

describe('rules over time', () => {
  test('created, changed, disabled, enabled and deleted', async () => {
    await applyRules({ name: 'Warm', condition: above(5) })
    await applyRules({ name: 'Warm', condition: above(6) })
    await applyRules({ name: 'Warm', condition: above(6), enabled: false })
    await applyRules({ name: 'Warm', condition: above(7) })
    await applyRules()
    const unit = await onlyUnit()
    const [first, second, third, ...more] = trackOf(unit, 'Warm')?.versions ?? []
    expect(more).toEqual([])
    expect(limitsOf(trackOf(unit, 'Warm'))).toEqual([500, 600, 700])
    expect([first, second, third].map((version) => version?.version)).toEqual([1, 2, 4])
    expect(first).toMatchObject({ fromMs: -Infinity, toMs: second?.fromMs, triggers: { by: 'received' } })
    expect(second?.triggers).toEqual({ by: 'at', fromMs: second?.fromMs })
    // Meanwhile, and in the end, the unit's own limit.
    const limit = trackOf(unit, 'temp_max')?.versions
    expect(limit?.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [second?.toMs, third?.fromMs],
      [third?.toMs, Infinity],
    ])
  })

  test('a narrower one added and removed', async () => {
    const wide = { name: 'All', condition: above(5) }
    await applyRules(wide)
    await applyRules(wide, { name: 'Here', condition: above(8), scope: SITE })
    await applyRules(wide)
    const unit = await onlyUnit()
    const [before, after] = trackOf(unit, 'All')?.versions ?? []
    const [here, ...more] = trackOf(unit, 'Here')?.versions ?? []
    expect(more).toEqual([])
    expect([before?.fromMs, before?.toMs, here?.toMs]).toEqual([-Infinity, here?.fromMs, after?.fromMs])
    expect(here?.triggers).toEqual({ by: 'at', fromMs: here?.fromMs })
    expect(trackOf(unit, 'temp_max')).toBeUndefined()
  })

  test('a rule added to a unit that had its own limit so far', async () => {
    await applyRules()
    await applyRules({ name: 'Warm', condition: above(8) })
    const unit = await onlyUnit()
    const [limit] = trackOf(unit, 'temp_max')?.versions ?? []
    const [rule] = trackOf(unit, 'Warm')?.versions ?? []
    expect(limit).toMatchObject({ fromMs: -Infinity, toMs: rule?.fromMs })
    expect(rule?.triggers).toEqual({ by: 'at', fromMs: rule?.fromMs })
  })

  test('changed by SQL', async () => {
    await applyRules({ name: 'Warm', condition: above(5) })
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE alert_rules SET condition = condition || '{"limit": 4.5}'`)
    expect(limitsOf(trackOf(await onlyUnit(), 'Warm'))).toEqual([500, 450])
  })

  test('made useless by SQL: told and left out, and the others stay', async () => {
    await applyRules(
      { name: 'Warm', condition: above(5) },
      { name: 'Silent', condition: { type: 'no_data' } },
    )
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE alert_rules SET condition = '{"limit": "hot"}' WHERE name = 'Warm'`)
    const defects: string[] = []
    const [unit] = await loadUnitConfigs(fixture.db.$client, undefined, {
      onDefect: (text) => defects.push(text),
    })
    expect(defects).toEqual([
      expect.stringMatching(/^Version 2 of alert rule \d+, "Warm", is left out: .*limit/),
    ])
    expect(unit && limitsOf(trackOf(unit, 'Warm'))).toEqual([500])
    expect(unit?.tracks.map(({ name }) => name).sort()).toEqual(['Silent', 'Warm', 'temp_max', 'temp_min'])
  })

  test('of a preset, all with its name', async () => {
    await applyRules({ name: 'WHO', condition: { preset: 'who-vaccine-fridge' } })
    const unit = await onlyUnit()
    expect(unit.tracks.map(({ name, conditionType }) => [name, conditionType])).toEqual([
      ['WHO', 'temperature_above'],
      ['WHO', 'temperature_below'],
    ])
    expect(trackOf(unit, 'WHO', 'temperature_below')?.versions[0]?.condition).toEqual({
      type: 'temperature_below',
      limitCenti: -50,
      hysteresisCenti: 0,
      inclusive: true,
      forMs: 3_600_000,
    })
  })
})

describe('units and devices over time', () => {
  test('a limit that was changed', async () => {
    await applyRules()
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE units SET temp_max = 6`)
    const [old, present] = trackOf(await onlyUnit(), 'temp_max')?.versions ?? []
    expect(old).toMatchObject({ version: 1, fromMs: -Infinity, toMs: present?.fromMs })
    expect(present).toMatchObject({ version: 2, triggers: { by: 'at', fromMs: present?.fromMs } })
    // Something else of the unit changes: that is no version of its limits.
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE units SET manual_monitoring_required = true`)
    expect(limitsOf(trackOf(await onlyUnit(), 'temp_max'))).toEqual([500, 600])
  })

  test('an interval that was changed', async () => {
    await fixture.apply(
      changed(exampleFleet(), { [`${UNIT}.devices[0].reporting_interval_seconds`]: undefined }),
    )
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE devices SET reporting_interval_seconds = 60`)
    const [device] = (await onlyUnit()).devices
    expect(device?.intervalMs).toEqual([
      { fromMs: -Infinity, value: 300_000 },
      { fromMs: expect.closeTo(Date.now(), -5), value: 60_000 },
    ])
  })

  test('a door, a device that left and one that was deleted', async () => {
    const device = { device_eui: '24e124136b502f4b', hub: 'hub-berlin-1', device_type: 'door' }
    const gone = { ...device, device_eui: '24e124136b502f4c', device_type: 'temperature_door' }
    const [first] = exampleFleet().sites[0]?.areas[0]?.units[0]?.devices ?? []
    await fixture.apply(changed(exampleFleet(), { [`${UNIT}.devices`]: [first, device, gone] }))
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE devices SET deleted_at = now() WHERE device_eui = ${gone.device_eui}`)
    await fixture.db.execute(sql`UPDATE devices SET unit_id = NULL WHERE device_eui = '24e124136b502f4a'`)
    const { devices } = await onlyUnit()
    expect(devices.map(({ hasTemperature, leftAtMs }) => [hasTemperature, leftAtMs])).toEqual([
      [true, expect.closeTo(Date.now(), -5)],
      [false, undefined],
      [true, expect.closeTo(Date.now(), -5)],
    ])
  })

  test('a unit that was deleted has no rules from then on, and is loaded when it is named', async () => {
    await fixture.apply(exampleFleet())
    const { unitId } = await onlyUnit()
    await fixture.db.execute(sql`SELECT pg_sleep(0.01)`)
    await fixture.db.execute(sql`UPDATE units SET deleted_at = now()`)
    expect(await load()).toEqual([])
    const [unit] = await load([unitId])
    expect(unit?.tracks.map(({ versions }) => versions.at(-1)?.toMs)).toEqual([
      expect.closeTo(Date.now(), -5),
      expect.closeTo(Date.now(), -5),
    ])
  })
})
