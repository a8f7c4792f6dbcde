import { afterEach, expect, test } from 'vitest'
import type { StoredReading } from '../db/evaluation/inputs.ts'
import { applyInputs } from './apply-inputs.ts'
import { loadUnits } from './load-units.ts'
import { refoldDevice } from './refold-device.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { readsOf } from './testing/reads.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

/** More than the first two pages hold. */
const ROWS = 8_000
/** Nothing is stored of this time at first. */
const GAP = { from: -ROWS + 200, to: -ROWS + 300 }
const EXCURSION = [10, 15, 20, 25].map((minute) => [GAP.from + minute, minute < 25 ? 9 : 3] as const)

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

async function openUnit(): Promise<{ unit: UnitContext; device: DeviceContext }> {
  const options = { nowMs: Date.now(), pauses: [], offsets: new Map(), onDefect: () => {} }
  const [unit] = await loadUnits(readsOf(fleet.db.$client).once, options)
  const device = unit?.devices.get(fleet.devices[0] ?? 0)
  if (!unit || !device) throw new Error('The unit of the fleet, with its device, was expected')
  return { unit, device }
}

async function refoldAll(
  { unit, device }: { unit: UnitContext; device: DeviceContext },
  onPage: () => Promise<void>,
): Promise<void> {
  const late = { fromMs: fleet.beginMs - ROWS * 60_000, toMs: fleet.beginMs }
  const refolding = { late, held: [], nowMs: Date.now(), rows: undefined, onPage }
  await refoldDevice(readsOf(fleet.db.$client).once, unit, device, refolding)
}

test('between two pages of a long refold nothing is locked, and what is stored then has its turn later', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const minutes = Array.from({ length: ROWS }, (_, row) => row - ROWS)
  await fleet.commit(
    minutes.filter((minute) => minute < GAP.from || minute > GAP.to).map((minute) => [minute, 4]),
  )
  const opened = await openUnit()
  const { unit, device } = opened
  let pages = 0
  await refoldAll(opened, async () => {
    pages += 1
    const { rows } = await fleet.db.$client.query(
      `SELECT FROM pg_locks WHERE relation = 'sensor_readings'::regclass AND pid <> pg_backend_pid()
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    expect(rows).toEqual([])
    if (pages === 2) await fleet.commit(EXCURSION)
  })
  expect(pages).toBeGreaterThan(2)
  expect([...unit.changed]).toEqual([])
  applyInputs(unit, { readings: EXCURSION.map(readingOf), doors: [] })
  expect(device.late).toMatchObject({ fromMs: readingOf(EXCURSION[0] ?? [0, 0]).atMs })
  await refoldAll(opened, async () => {})
  expect([...unit.changed.values()]).toMatchObject([{ peakCenti: 900 }])
})

function readingOf([minute, celsius]: readonly [number, number]): StoredReading {
  const atMs = fleet.beginMs + minute * 60_000
  return {
    kind: 'reading',
    deviceId: fleet.devices[0] ?? 0,
    unitId: fleet.unitId,
    atMs,
    recordedAtMs: atMs,
    receivedAtMs: Date.now(),
    temperatureCenti: celsius * 100,
    battery: null,
    fault: null,
  }
}
