import { describe, expect, it } from 'vitest'
import type { FaultRates, PlannedUnit } from '../types.ts'
import { Timeline } from './intervals.ts'
import { defrostSchedule, doorSchedule, unitFaultSchedule } from './schedules.ts'
import { NO_FAULTS, onlyFaults, plannedUnit, START_MS, UNIT_TYPES } from './testing/units.ts'
import { STEP_SECONDS } from './thermal.ts'
import { Unit } from './unit.ts'
import { profileOf } from './unit-profiles.ts'

const HOUR = 3_600
const DAY = 24 * HOUR
const SEEDS = Array.from({ length: 8 }, (_, index) => index + 1)
const frame = { startMs: START_MS, speed: 1 }

interface Moment {
  second: number
  airProbe: number
  air: number
  product: number
  humidity: number
  runs: boolean
}

function open(
  unitType: string,
  seed: number,
  options: { rates?: FaultRates; unit?: Partial<PlannedUnit> } = {},
) {
  const { rates = NO_FAULTS, unit: fields = {} } = options
  const planned = plannedUnit(unitType, fields)
  const unit = new Unit(planned, { seed, rates, frame })
  return { unit, schedule: { seed, rates, frame, of: planned.id } }
}

/** Every step of the unit up to a second. */
function record(unit: Unit, end: number): Moment[] {
  const moments: Moment[] = []
  for (let second = STEP_SECONDS; second <= end; second += STEP_SECONDS) {
    unit.advanceTo(second)
    const { air, airProbe, product, humidity, compressorRuns } = unit.state
    moments.push({ second, air, airProbe, product, humidity, runs: compressorRuns })
  }
  return moments
}

const share = (moments: readonly Moment[], holds: (moment: Moment) => boolean) =>
  moments.filter(holds).length / moments.length

const at = (moments: readonly Moment[], second: number) => {
  const moment = moments[Math.ceil(second / STEP_SECONDS)]
  if (!moment) throw new Error(`Nothing was recorded at second ${second}`)
  return moment
}

const starts = (moments: readonly Moment[]) =>
  moments.filter((moment, index) => moment.runs && moments[index - 1]?.runs === false)

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

describe.each(UNIT_TYPES)('a day of a %s', (unitType) => {
  const days = SEEDS.map((seed) => {
    const { unit, schedule } = open(unitType, seed)
    return { unit, schedule, moments: record(unit, DAY) }
  })

  it('is spent between the limits nearly all the time', () => {
    for (const { unit, moments } of days) {
      const { tempMin, tempMax } = unit.parameters
      expect(share(moments, ({ airProbe }) => airProbe >= tempMin && airProbe <= tempMax)).toBeGreaterThan(
        0.95,
      )
    }
    const inside = days.map(({ unit: { parameters }, moments }) =>
      share(moments, ({ airProbe }) => airProbe >= parameters.tempMin && airProbe <= parameters.tempMax),
    )
    expect(median(inside)).toBeGreaterThan(0.98)
  })

  it('has cycles of the compressor as long as is usual at night, and not many fewer by day', () => {
    const [shortest, longest] = profileOf(unitType).cycleMinutes
    for (const { moments } of days) {
      const nightStarts = starts(moments).filter(({ second }) => second < 6 * HOUR)
      const minutes = nightStarts
        .slice(1)
        .map(({ second }, index) => (second - (nightStarts[index]?.second ?? 0)) / 60)
      expect(median(minutes)).toBeGreaterThan(shortest * 0.7)
      expect(median(minutes)).toBeLessThan(longest * 1.5)
      expect(starts(moments).length).toBeGreaterThan((DAY / 60 / longest) * 0.4)
    }
  })

  it('has openings that warm the air, from which it recovers', () => {
    for (const { unit, schedule, moments } of days) {
      const next = doorSchedule(unit.parameters, schedule)
      let opening = next()
      while (opening.to - opening.from < 2 * unit.parameters.doorSeconds) opening = next()
      const { from, to } = opening
      expect(to).toBeLessThan(DAY - 2 * HOUR)
      const before = at(moments, from - STEP_SECONDS)
      expect(at(moments, to).air).toBeGreaterThan(before.air)
      expect(at(moments, to).humidity).toBeGreaterThan(before.humidity)
      const after = moments.filter(({ second }) => second > to && second < to + 2 * HOUR)
      expect(Math.min(...after.map(({ air }) => air))).toBeLessThan(unit.parameters.setpoint)
    }
  })

  it('defrosts only where it is scheduled: the air warms, the products hardly', () => {
    for (const { unit, schedule, moments } of days) {
      const { defrostsPerDay, defrostSeconds } = unit.parameters
      const next = defrostSchedule(unit.parameters, schedule)
      const { from, to } = next()
      if (!/freezer|walk_in/.test(unitType)) expect([defrostsPerDay, from]).toEqual([0, Infinity])
      if (defrostsPerDay === 0) continue
      expect(defrostsPerDay).toBeGreaterThanOrEqual(2)
      expect(defrostsPerDay).toBeLessThanOrEqual(4)
      expect(defrostSeconds).toBeGreaterThanOrEqual(20 * 60)
      expect(defrostSeconds).toBeLessThanOrEqual(30 * 60)
      const during = moments.filter(({ second }) => second >= from && second <= to)
      const rise = Math.max(...during.map(({ air }) => air)) - (during[0]?.air ?? Number.NaN)
      const productRise = at(moments, to).product - at(moments, from).product
      expect(rise).toBeGreaterThan(unitType === 'walk_in_cooler' ? 0.8 : 2)
      expect(productRise).toBeLessThan(rise / 2)
      expect(at(moments, Math.min(to + HOUR, DAY - 60)).air).toBeLessThan(at(moments, to).air)
    }
  })

  it('is not another after a step more or less', () => {
    const { unit } = open(unitType, 1)
    unit.advanceTo(7_777)
    unit.advanceTo(1_000)
    unit.advanceTo(DAY)
    expect(unit.state).toEqual(days[0]?.unit.state)
  })

  it('drifts to the surroundings within hours without compressor, and recovers once it is repaired', () => {
    for (const seed of SEEDS) {
      // A repair comes within minutes of the clock, so the physics must run fast for it to take hours.
      const rates = onlyFaults({ compressor_failure: 1 })
      const planned = plannedUnit(unitType)
      const fast = { ...frame, speed: 120 }
      const unit = new Unit(planned, { seed, rates, frame: fast })
      const next = unitFaultSchedule('compressor_failure', { seed, of: planned.id, rates, frame: fast })
      const { from, to } = next()
      const repaired = Math.min(to + 3 * DAY, next().from)
      unit.advanceTo(from)
      const before = { ...unit.state }
      unit.advanceTo(to)
      expect(unit.conditions.compressorFailed).toBe(true)
      expect(to - from).toBeGreaterThan(5.9 * HOUR)
      expect(unit.state.airProbe).toBeGreaterThan(unit.parameters.tempMax)
      const { ambientMean, ambientSwing, loadRise } = unit.parameters
      expect(unit.state.airProbe).toBeLessThan(ambientMean + ambientSwing + loadRise)
      expect(unit.state.product).toBeGreaterThan(before.product)
      unit.advanceTo(repaired)
      if (repaired - to > DAY) expect(unit.state.air).toBeLessThan(unit.parameters.tempMax + 1)
    }
  })

  it('warms beyond the limit within minutes while the door was left open', () => {
    for (const seed of SEEDS) {
      const rates = onlyFaults({ door_left_open: 0.1 })
      const planned = plannedUnit(unitType)
      const fast = { ...frame, speed: 3 }
      const unit = new Unit(planned, { seed, rates, frame: fast })
      const next = unitFaultSchedule('door_left_open', { seed, of: planned.id, rates, frame: fast })
      const { from, to } = next()
      unit.advanceTo(from)
      const before = unit.state.air
      unit.advanceTo(from + 10 * 60)
      expect(to - from).toBeGreaterThan(10 * 60)
      expect(unit.conditions.doorOpen).toBe(true)
      expect(unit.state.air).toBeGreaterThan(before + 1)
      expect(unit.state.air).toBeGreaterThan(unit.parameters.tempMax)
      const closedFor = Math.min(10 * HOUR, next().from - to)
      unit.advanceTo(to + closedFor)
      if (closedFor === 10 * HOUR) expect(unit.state.air).toBeLessThan(unit.parameters.tempMax + 1)
    }
  })
})

describe('a unit', () => {
  it('is another for each seed and each id', () => {
    const parameters = (seed: number, id: string) => open('fridge', seed, { unit: { id } }).unit.parameters
    const setpoints = [parameters(1, 'a'), parameters(1, 'b'), parameters(2, 'a')].map(
      ({ setpoint }) => setpoint,
    )
    expect(new Set(setpoints).size).toBe(3)
    expect(parameters(1, 'a')).toEqual(parameters(1, 'a'))
  })

  it.each([
    [2, 8, 5],
    [null, 3, 0.5],
    [-50, -15, -32.5],
    [10, null, 12.5],
    [null, null, 3.5],
  ])('with the limits %j and %j is kept near %j °C', (tempMin, tempMax, middle) => {
    for (const seed of SEEDS) {
      const { setpoint, hysteresis } = open('fridge', seed, { unit: { tempMin, tempMax } }).unit.parameters
      expect(Math.abs(setpoint - middle)).toBeLessThan(1.5)
      expect(hysteresis).toBeLessThanOrEqual(2)
    }
  })

  it('of an unknown type behaves as a fridge', () => {
    const fridge = open('fridge', 1, { unit: { id: 'same', tempMin: 0, tempMax: 5 } })
    const other = open('toString', 1, { unit: { id: 'same', tempMin: 0, tempMax: 5 } })
    expect(other.unit.parameters).toEqual(fridge.unit.parameters)
  })

  it('follows the surroundings: warmest in the afternoon', () => {
    const { unit } = open('fridge', 1)
    const ambientAt = (hour: number) => {
      unit.advanceTo(hour * HOUR)
      return unit.conditions.ambient
    }
    const [night, noon, afternoon] = [ambientAt(3), ambientAt(12), ambientAt(15)]
    expect(night).toBeLessThan(noon)
    expect(noon).toBeLessThan(afternoon)
  })

  it('takes in warm goods, which cool down slowly', () => {
    const { unit } = open('blast_chiller', 3)
    const moments = record(unit, DAY)
    const warmest = moments.reduce((one, other) => (other.product > one.product ? other : one))
    const later = at(moments, Math.min(warmest.second + 2 * HOUR, DAY - 60))
    expect(warmest.product).toBeGreaterThan(unit.parameters.setpoint + 3)
    expect(later.product).toBeLessThan(warmest.product - 2)
  })

  it('is opened more often by day than at night', () => {
    const { unit, schedule } = open('walk_in_cooler', 1)
    const door = new Timeline(doorSchedule(unit.parameters, schedule))
    const openSeconds = { day: 0, night: 0 }
    for (let second = 0; second < 7 * DAY; second++) {
      const hour = (second % DAY) / HOUR
      if (door.isInAt(second)) openSeconds[hour >= 7 && hour < 21 ? 'day' : 'night']++
    }
    expect(openSeconds.day / 14).toBeGreaterThan((5 * openSeconds.night) / 10)
  })
})
