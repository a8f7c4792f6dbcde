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
const FIRST_ID = 10_000
const LAST_ID = 19_999
const BEGIN_MS = Date.UTC(2026, 0, 1)
const NOW_MS = BEGIN_MS + 480 * HOUR_MS
/** Two busy units need more than a turn has. */
const READ_MS = 300
const TURN_MS = 2_000
const BUSY_UNITS = 3
const TURN_EVERY_MS = 1_000
const UNREADABLE = '22012'
const STATEMENT_MS = 30_000
const TIMED_OUT = '57014'
/** So many have their turn with a look of the clock. */
const UNITS_AT_ONCE = 5_000

/** Devices whose rows cannot be read. */
const broken = new Set<number>()
/** Devices that have long been too warm: what is read of them with others is not enough for a fold. */
const warm = new Set<number>()
/** How long a statement about these devices takes. */
let costMs: (deviceIds: readonly number[]) => number
let reads: ReturnType<typeof readsOf>
let refolds: LateRefolds

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.advanceTimersByTime(1)
  broken.clear()
  warm.clear()
  costMs = () => READ_MS
  reads = readsOf(slowPool(), STATEMENT_MS, 60_000, TURN_MS)
  refolds = new LateRefolds({
    reads,
    metrics: createEvaluatorMetrics(new Registry()),
    now: () => NOW_MS,
    aside: { setDeviceAside: () => {}, deviceBack: () => {} },
    onPage: async () => {},
  })
})
afterEach(() => vi.useRealTimers())

/** A read of rows takes as long as it costs. Of devices that are read together it finds what a fold needs, else none. */
function slowPool(): Pool {
  const query = async (statement: { text: string; values?: unknown[] } | string, values?: unknown[]) => {
    const { text, values: given = [] } =
      typeof statement === 'string' ? { text: statement, values } : { values, ...statement }
    if (text.includes('sensor_readings')) {
      const deviceIds = given
        .flat()
        .map(Number)
        .filter((id) => id >= FIRST_ID && id <= LAST_ID)
      const tookMs = costMs(deviceIds)
      vi.advanceTimersByTime(Math.min(tookMs, STATEMENT_MS))
      if (tookMs > STATEMENT_MS) throw refused(TIMED_OUT)
      if (deviceIds.some((id) => broken.has(id))) throw refused(UNREADABLE)
      if (text.includes('ANY ($1')) return { rows: deviceIds.flatMap(rowsOf), rowCount: 0 }
    }
    return { rows: [], rowCount: 0 }
  }
  const client = { on: () => {}, off: () => {}, release: () => {}, query }
  return { connect: async () => client } as unknown as Pool
}

function refused(code: string): Error {
  return Object.assign(new DatabaseError('refused', 0, 'error'), { code })
}

/** Before it is late: at hour 1. */
function rowsOf(deviceId: number) {
  const centi = warm.has(deviceId) ? 900 : 300
  return [-20, -15, -10, -5, 0].map((minutes) => {
    const atMs = BEGIN_MS + HOUR_MS + minutes * MINUTE_MS
    const times = { recorded_ms: atMs, received_ms: atMs }
    const unitId = deviceId - FIRST_ID
    return { device_id: deviceId, unit_id: unitId, ...times, centi, battery: null, fault: null }
  })
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

function makeLate(device: DeviceContext, hour = (device.config.deviceId - FIRST_ID) * 5): void {
  const atMs = BEGIN_MS + hour * HOUR_MS
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
  const unit = unitOf(50, [10_004, 10_005])
  const [failed, fine] = [deviceOf(unit, 10_004), deviceOf(unit, 10_005)]
  broken.add(10_004)
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
  const unit = unitOf(50, [10_004])
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
  const unit = unitOf(50, [10_004])
  const device = deviceOf(unit)
  expect(device.isUnsaved).toBe(false)
  reads.beginTurn()
  expect(refolds.next([unit], 'what may wait')).toEqual([])
  expect(await settle([unit], 'what may wait')).toBe(false)
  expect(device).toMatchObject({ isUnsaved: true, isPutOff: false })
  expect(refolds.next([unit], 'nothing')).toEqual([unit])
})

test('what is old is folded without being heard: its silence is told with what is late', async () => {
  const unit = unitOf(50, [10_004])
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

/** A unit with one device, which is late with the others like it: they are read together. */
function lateTogether(unitId: number): UnitContext {
  const unit = unitOf(unitId, [FIRST_ID + unitId])
  const device = deviceOf(unit)
  device.late = undefined
  makeLate(device, 1)
  return unit
}

test('a slow device has its turn, though another one of its unit is folded each turn from what is read for many', async () => {
  const partner = lateTogether(51)
  const unit = unitOf(50, [FIRST_ID + 50, FIRST_ID + 95])
  const [known, slow] = [deviceOf(unit, FIRST_ID + 50), deviceOf(unit, FIRST_ID + 95)]
  known.late = undefined
  makeLate(known, 1)
  // Each of these is read alone, and there is time for some of them in a turn.
  const busy = Array.from({ length: 12 }, (_, index) => unitOf(index + 4, [FIRST_ID + index + 4]))
  costMs = (deviceIds) => (deviceIds.length > 1 ? 50 : deviceIds.includes(slow.config.deviceId) ? 600 : 100)
  let foldedBusy = 0
  for (let turns = 0; turns < 200 && slow.late; turns += 1) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    await settle(refolds.next([partner, ...busy, unit].filter(hasLate), 'nothing'))
    makeLate(known, 1)
    makeLate(deviceOf(partner), 1)
    for (const one of busy) {
      if (!hasLate(one)) foldedBusy += 1
      makeLate(deviceOf(one))
    }
  }
  expect(foldedBusy).toBeGreaterThan(0)
  expect(slow.late).toBe(undefined)
})

test('a unit whose devices need more than what is read for many lets others have their turn', async () => {
  const partner = lateTogether(51)
  const unit = unitOf(50, [FIRST_ID + 50, FIRST_ID + 95])
  const other = unitOf(4, [FIRST_ID + 4])
  for (const device of unit.devices.values()) {
    warm.add(device.config.deviceId)
    device.late = undefined
    makeLate(device, 1)
  }
  costMs = (deviceIds) => (deviceIds.length > 1 ? 50 : deviceIds.some((id) => warm.has(id)) ? 900 : 600)
  let folded = 0
  for (let turns = 0; turns < 100 && hasLate(other); turns += 1) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    await settle(refolds.next([partner, unit, other].filter(hasLate), 'nothing'))
    makeLate(deviceOf(partner), 1)
    for (const device of unit.devices.values()) {
      if (!device.late) folded += 1
      makeLate(device, 1)
    }
  }
  expect(folded).toBeGreaterThan(0)
  expect(hasLate(other)).toBe(false)
})

test('devices that cannot be read together in time hold up what is live once a minute, not in each turn', async () => {
  const units = Array.from({ length: 40 }, (_, index) => lateTogether(index + 1))
  costMs = (deviceIds) => (deviceIds.length > 3 ? STATEMENT_MS + 1 : 50)
  let timeouts = 0
  const startedAtMs = performance.now()
  // All are late again at once.
  while (performance.now() - startedAtMs < 10 * MINUTE_MS) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    await settle(refolds.next(units.filter(hasLate), 'nothing'))
    timeouts += reads.timeouts
    for (const unit of units) makeLate(deviceOf(unit), 1)
  }
  expect(timeouts).toBeGreaterThan(1)
  expect(timeouts).toBeLessThan(10)
})

test('of more units than have their turn at once, all have', async () => {
  const units = Array.from({ length: UNITS_AT_ONCE + 1 }, (_, index) => lateTogether(index + 1))
  const tried = new Set<UnitContext>()
  costMs = () => TURN_MS + 1
  for (let turns = 0; turns < 3; turns += 1) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    for (const unit of refolds.next(units, 'nothing')) {
      tried.add(unit)
      await refolds.run(unit, [])
    }
    refolds.settled()
    // There was time for one of them, at which something is late at once again.
    for (const unit of units) makeLate(deviceOf(unit), 1)
  }
  expect(tried.size).toBe(units.length)
})

test('what is old of a unit has its turn, beside a unit that is sent something old all the time', async () => {
  const [busy, other] = [unitOf(1, [FIRST_ID + 1]), unitOf(2, [FIRST_ID + 2])]
  for (const unit of [busy, other]) {
    deviceOf(unit).late = undefined
    noteOld(deviceOf(unit), { fromMs: 0, toMs: 0 })
  }
  for (let turns = 0; turns < 10; turns += 1) {
    vi.advanceTimersByTime(TURN_EVERY_MS)
    reads.beginTurn()
    const next = refolds.nextOld(new Set([busy, other]))
    if (next) await refolds.runOld(next)
    noteOld(deviceOf(busy), { fromMs: 0, toMs: 0 })
  }
  expect(deviceOf(other).old).toBe(undefined)
})

test('what was read for many is let go of when they have had their turn', async () => {
  const units = [lateTogether(1), lateTogether(2)]
  let statements = 0
  costMs = () => {
    statements += 1
    return 1
  }
  reads.beginTurn()
  await settle(units)
  expect(statements).toBe(1)
  const [unit] = units
  if (!unit) throw new Error('There were two units')
  makeLate(deviceOf(unit), 1)
  await refolds.run(unit, [])
  expect(statements).toBeGreaterThan(1)
})

/** A unit whose context another one takes the place of, as after each change of its configuration. */
function replacedBy(before: UnitContext, deviceIds: readonly number[]): UnitContext {
  const after = unitOf(before.config.unitId, deviceIds)
  refolds.replaced(before, after)
  return after
}

test('a device that takes too long has its rest, however often its unit is configured otherwise', async () => {
  const ids = [FIRST_ID + 4]
  const before = unitOf(50, ids)
  costMs = () => STATEMENT_MS + 1
  reads.beginTurn()
  await settle([before])
  costMs = () => READ_MS
  const after = replacedBy(replacedBy(before, ids), ids)
  vi.advanceTimersByTime(MINUTE_MS - 1)
  expect(refolds.next([after], 'nothing')).toEqual([])
  vi.advanceTimersByTime(1)
  expect(refolds.next([after], 'nothing')).toEqual([after])
})

test('a unit that is configured otherwise keeps its turn, and so do its devices', async () => {
  const first = unitOf(1, [FIRST_ID + 1])
  const ids = [FIRST_ID + 2, FIRST_ID + 3]
  const unit = unitOf(2, ids)
  costMs = () => TURN_MS + 1
  reads.beginTurn()
  deviceOf(unit, FIRST_ID + 2).late = undefined
  await settle([first, unit])
  vi.advanceTimersByTime(1)
  const after = replacedBy(unit, ids)
  expect(refolds.next([unitOf(3, [FIRST_ID + 4]), after], 'nothing')[0]).toBe(after)
  reads.beginTurn()
  await settle([after])
  // The one that has waited came first.
  expect([...after.devices.values()].map(({ late }) => late !== undefined)).toEqual([true, false])
})

test('one that failed at once is tried at once when it is configured otherwise', async () => {
  const ids = [FIRST_ID + 4]
  const before = unitOf(50, ids)
  broken.add(FIRST_ID + 4)
  reads.beginTurn()
  await settle([before])
  const after = replacedBy(before, ids)
  expect(refolds.next([before], 'nothing')).toEqual([])
  expect(refolds.next([after], 'nothing')).toEqual([after])
})

test('a unit of which all is folded from what was read for many comes behind what waits', async () => {
  const [unit, partner, other] = [lateTogether(50), lateTogether(51), unitOf(3, [FIRST_ID + 3])]
  refolds.next(Array.from({ length: UNITS_AT_ONCE }, () => unitOf(4, [FIRST_ID + 4])).concat(unit), 'nothing')
  vi.advanceTimersByTime(1)
  const inOrder = () => refolds.next([other, unit], 'nothing')
  expect(inOrder()).toEqual([unit, other])
  reads.beginTurn()
  await settle([unit, partner])
  makeLate(deviceOf(unit), 1)
  expect(inOrder()).toEqual([other, unit])
})

test('so does one of which something was tried in vain, though there was no time for the rest of it', async () => {
  const [unit, other] = [unitOf(50, [FIRST_ID + 4, FIRST_ID + 5]), unitOf(3, [FIRST_ID + 3])]
  broken.add(FIRST_ID + 4)
  costMs = () => TURN_MS + 1
  reads.beginTurn()
  await settle([unitOf(4, [FIRST_ID + 6]), unit])
  vi.advanceTimersByTime(1)
  expect(refolds.next([other, unit], 'nothing')).toEqual([unit, other])
  reads.beginTurn()
  await settle([unit])
  expect(deviceOf(unit, FIRST_ID + 5).late).toBeDefined()
  expect(refolds.next([other, unit], 'nothing')).toEqual([other, unit])
})
