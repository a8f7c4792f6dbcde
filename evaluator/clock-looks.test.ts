import { Registry } from 'prom-client'
import { afterEach, expect, test, vi } from 'vitest'
import { ClockLooks } from './clock-looks.ts'
import { FleetMemory } from './fleet-memory.ts'
import { HubHorizons } from './hub-horizons.ts'
import { createEvaluatorMetrics } from './metrics.ts'
import { SetAside } from './set-aside.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './testing/evaluated-fleet.ts'
import { readsOf } from './testing/reads.ts'
import type { UnitContext } from './unit-context.ts'

const RULES = [
  { name: 'Door', condition: { type: 'door_open', for_seconds: 300 } },
  { name: 'Silent', condition: { type: 'no_data', missed: 5 } },
  { name: 'Log', condition: { type: 'manual_log_overdue', after_seconds: 600 } },
  { name: 'Calibrate', condition: { type: 'calibration_due', days_ahead: 7 } },
]

const MINUTES = 40

let fleet: EvaluatedFleet
afterEach(() => {
  vi.useRealTimers()
  return fleet.close()
})

/** A unit with an open door, behind a hub that goes away, with a log and a calibration that are overdue: all looks find something. */
async function open(): Promise<{ unit: UnitContext; looks: ClockLooks; aside: SetAside }> {
  fleet = await openEvaluatedFleet({ rules: RULES, minutes: MINUTES })
  const { $client: pool } = fleet.db
  await fleet.commitDoors([[10, 'open']])
  await pool.query(
    `INSERT INTO calibration_records (organization_id, device_id, calibrated_at, expires_at)
     SELECT organization_id, id, now() - interval '200 days', now() - interval '1 day' FROM devices`,
  )
  const reads = readsOf(pool)
  const memory = new FleetMemory({ reads, nowMs: Date.now, onDefect: () => {} })
  await memory.load()
  const unit = memory.units.get(fleet.unitId)
  if (!unit) throw new Error('The unit of the fleet was expected')
  const metrics = createEvaluatorMetrics(new Registry())
  const aside = new SetAside({
    memory,
    metrics,
    onClosed: () => [],
    onSetAside: () => {},
    onBack: () => {},
  })
  const looks = new ClockLooks({ reads, now: Date.now }, { memory, horizons: new HubHorizons(), aside })
  await looks.begin()
  await pool.query(`UPDATE hubs SET is_online = false, status_at = now()`)
  return { unit, looks, aside }
}

test('finds what the clock has made due of a unit', async () => {
  const { unit, looks } = await open()
  const { units, unitFacts, ranges } = await looks.look({ nowMs: Date.now(), heardToMs: Date.now() })
  expect([...units]).toEqual([unit])
  expect(unit.doorsFromMs).toBeDefined()
  expect(unitFacts).toHaveLength(1)
  expect(ranges).not.toHaveLength(0)
})

test('says nothing more of a unit that is set aside by a look', async () => {
  const { unit, looks, aside } = await open()
  const [device] = unit.devices.values()
  // A state that nothing can be made of.
  Object.assign(device?.hearing ?? {}, { newestAtMs: fleet.beginMs, running: null })
  const { units, unitFacts, ranges, old } = await looks.look({ nowMs: Date.now(), heardToMs: Date.now() })
  expect(aside.has(fleet.unitId)).toBe(true)
  expect([...units, ...unitFacts, ...ranges, ...old]).toEqual([])
})

test.each([
  ['ends with that', true],
  ['goes on', false],
])(
  'the alert of a hub whose only unit is aside runs until that is back; where its rule is gone by then, it %s',
  async (_, isRuleGone) => {
    const { unit, looks, aside } = await open()
    const { $client: pool } = fleet.db
    const [device] = unit.devices.values()
    Object.assign(device?.hearing ?? {}, { newestAtMs: fleet.beginMs })
    await pool.query(`UPDATE hubs SET status_at = now() - interval '35 minutes'`)
    const hubsFound = async () => (await looks.look({ nowMs: Date.now(), heardToMs: Date.now() })).hubs
    expect(await hubsFound()).toMatchObject([{ facts: { endedAtMs: null } }])
    vi.useFakeTimers({ toFake: ['performance'] })
    aside.setAside(fleet.unitId, new Error('a defect'))
    if (isRuleGone) await pool.query(`UPDATE alert_rules SET enabled = false WHERE name = 'Silent'`)
    expect(await hubsFound()).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(await aside.reopen()).toBeDefined()
    expect(await hubsFound()).toMatchObject(isRuleGone ? [{ facts: { resolution: 'rule_changed' } }] : [])
  },
)
