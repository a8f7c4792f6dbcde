/** Whose turn it is, of what came late: by a clock that only reads move on. What they find is tested with the database. */
import { DatabaseError, type Pool } from 'pg'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { applyInputs } from './apply-inputs.ts'
import { NO_DOORS } from './held-doors.ts'
import { hasLate, LateRefolds } from './late-refolds.ts'
import { createEvaluatorMetrics } from './metrics.ts'
import { above, judgingOf, temperatures } from './testing/judging.ts'
import { readsOf } from './testing/reads.ts'
import { type DeviceContext, noteLate, noteOld, openUnit, type UnitContext } from './unit-context.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** Of devices: no read is given another number like these. */
const FIRST_ID = 1_000
const BEGIN_MS = Date.UTC(2026, 0, 1)
const NOW_MS = BEGIN_MS + 48 * HOUR_MS
/** Two busy units need more than a turn has. */
const READ_MS = 300
const TURN_MS = 2_000
const BUSY_UNITS = 3
const TURN_EVERY_MS = 1_000
const UNREADABLE = '22012'

/** Devices whose rows cannot be read. */
const broken = new Set<number>()
let reads: ReturnType<typeof readsOf>
let refolds: LateRefolds

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  broken.clear()
  reads = readsOf(slowPool(), 30_000, 60_000, TURN_MS)
  refolds = new LateRefolds({
    reads,
    metrics: createEvaluatorMetrics(new Registry()),
    now: () => NOW_MS,
    aside: { setDeviceAside: () => {}, deviceBack: () => {} },
    onPage: async () => {},
  })
})
afterEach(() => vi.useRealTimers())

/** Each read of rows takes as long, and finds none. */
function slowPool(): Pool {
  const query = async (statement: { text: string; values?: unknown[] } | string, values?: unknown[]) => {
    const { text, values: given = [] } =
      typeof statement === 'string' ? { text: statement, values } : { values, ...statement }
    if (text.includes('sensor_readings')) {
      vi.advanceTimersByTime(READ_MS)
      if (given.flat().some((value) => broken.has(Number(value)))) {
        throw Object.assign(new DatabaseError('unreadable', 0, 'error'), { code: UNREADABLE })
      }
    }
    return { rows: [], rowCount: 0 }
  }
  const client = { on: () => {}, off: () => {}, release: () => {}, query }
  return { connect: async () => client } as unknown as Pool
}

/** All late: more than an hour apart: what is late together is read together. */
function unitOf(unitId: number, deviceIds: readonly number[]): UnitContext {
  const { unit: config } = judgingOf(above(5, 600))
  const [device] = config.devices
  if (!device) throw new Error('The unit was expected to have a device')
  const unit = openUnit(
    { ...config, unitId, devices: deviceIds.map((deviceId) => ({ ...device, deviceId })) },
    { saved: new Map(), doors: NO_DOORS, status: 'ok', pauses: [], offsets: new Map() },
  )
  for (const one of unit.devices.values()) makeLate(one)
  return unit
}

function makeLate(device: DeviceContext): void {
  const atMs = BEGIN_MS + (device.config.deviceId - FIRST_ID) * 5 * HOUR_MS
  noteLate(device, { fromMs: atMs, toMs: atMs })
}

function deviceOf(unit: UnitContext, deviceId?: number): DeviceContext {
  const device = deviceId === undefined ? unit.devices.values().next().value : unit.devices.get(deviceId)
  if (!device) throw new Error('The unit was expected to have the device')
  return device
}

async function settle(units: readonly UnitContext[], waits: 'nothing' | 'what may wait' | 'all' = 'nothing') {
  for (const unit of await refolds.prepare(units, waits)) await refolds.run(unit, [])
  return refolds.settled()
}

/** Turns in which some units are always late, until a device is folded; in minutes. */
async function minutesUntilFolded(unit: UnitContext, device: DeviceContext): Promise<number> {
  const busy = Array.from({ length: BUSY_UNITS }, (_, index) => unitOf(index + 1, [FIRST_ID + index]))
  const startedAtMs = performance.now()
  for (let turns = 0; turns < 1_000 && device.late; turns += 1) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    await settle(refolds.next([...busy, unit].filter(hasLate), 'nothing'))
    for (const { devices } of busy) for (const one of devices.values()) makeLate(one)
  }
  return (performance.now() - startedAtMs) / MINUTE_MS
}

test('a device that has failed keeps none of its unit waiting, nor waits for ever itself, while others are always late', async () => {
  const unit = unitOf(50, [1_004, 1_005])
  const [failed, fine] = [deviceOf(unit, 1_004), deviceOf(unit, 1_005)]
  broken.add(1_004)
  for (let turns = 0; turns < 2; turns += 1) {
    reads.beginTurn()
    await settle([unit])
  }
  expect([failed.late !== undefined, fine.late]).toEqual([true, undefined])
  broken.clear()
  vi.advanceTimersByTime(MINUTE_MS)
  makeLate(fine)
  expect(await minutesUntilFolded(unit, fine)).toBeLessThan(2)
  expect(await minutesUntilFolded(unit, failed)).toBeLessThan(12)
  expect(failed.late).toBe(undefined)
})

test('a part of a turn with a time of its own folds something, whatever the parts before it have used up', async () => {
  const unit = unitOf(50, [1_004])
  const busy = [unitOf(1, [FIRST_ID]), unitOf(2, [FIRST_ID + 1])]
  reads.beginTurn()
  await settle(busy)
  expect(reads.isTurnSpent).toBe(true)
  expect(await settle([unit])).toBe(false)
  reads.beginPart()
  expect(await settle([unit])).toBe(true)
  expect(deviceOf(unit).late).toBe(undefined)
})

/** With an alert that runs, and with something late. */
function raised(): UnitContext {
  const { deviceId } = judgingOf(above(5, 600)).device
  const unit = unitOf(60, [deviceId])
  const device = deviceOf(unit)
  device.late = undefined
  applyInputs(unit, { readings: temperatures([0, 6], [300, 6], [600, 6]), doors: [] })
  unit.changed.clear()
  noteLate(device, { fromMs: 300_000, toMs: 300_000 })
  device.isUnsaved = false
  return unit
}

test('while there is no time for all that is late, also a device with an alert waits, and what comes of it does not wait for it', async () => {
  const unit = raised()
  reads.beginTurn()
  expect(refolds.next([unit], 'all')).toEqual([])
  expect(await settle([unit], 'all')).toBe(false)
  expect(deviceOf(unit)).toMatchObject({ isPutOff: true, isUnsaved: true, late: { fromMs: 300_000 } })
  expect(refolds.next([unit], 'what may wait')).toEqual([unit])
  expect(await settle([unit], 'what may wait')).toBe(true)
  expect(deviceOf(unit)).toMatchObject({ isPutOff: false, late: undefined })
})

test('what may wait has no turn until it is due; it is to be stored, also what no reading of its own has made late', async () => {
  const unit = unitOf(50, [1_004])
  const device = deviceOf(unit)
  expect(device.isUnsaved).toBe(false)
  reads.beginTurn()
  expect(refolds.next([unit], 'what may wait')).toEqual([])
  expect(await settle([unit], 'what may wait')).toBe(false)
  expect(device).toMatchObject({ isUnsaved: true, isPutOff: false })
  expect(refolds.next([unit], 'nothing')).toEqual([unit])
})

test('what is old is folded without being heard: its silence is told with what is late', async () => {
  const unit = unitOf(50, [1_004])
  const device = deviceOf(unit)
  device.isUnheard = true
  noteOld(device, { fromMs: 0, toMs: 0 })
  reads.beginTurn()
  await refolds.runOld(unit)
  expect(device).toMatchObject({ old: undefined, isUnheard: true })
  reads.beginPart()
  await settle([unit])
  expect(device).toMatchObject({ late: undefined, isUnheard: false })
})
