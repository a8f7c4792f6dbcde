import { describe, expect, it } from 'vitest'
import { hubDoorEvent, hubReading } from '../../ingest/payloads.ts'
import { Random } from '../random.ts'
import type { FaultRates, MeasuredReading, Measurement, PlannedUnit } from '../types.ts'
import { Battery } from './battery.ts'
import { parseAbilities } from './probe.ts'
import { Sensor } from './sensor.ts'
import { NO_FAULTS, onlyFaults, plannedDevice, plannedUnit, START_MS, UNIT_TYPES } from './testing/units.ts'
import { Unit } from './unit.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Options {
  unitType?: string
  deviceType?: string
  number?: number
  rates?: FaultRates
  speed?: number
  intervalSeconds?: number
  unit?: Partial<PlannedUnit>
}

function open(options: Options = {}): Sensor {
  const { unitType = 'fridge', deviceType = 'temperature', number = 1, intervalSeconds = 60 } = options
  const { rates = NO_FAULTS, speed = 1 } = options
  const planned = plannedUnit(unitType, options.unit)
  const common = { seed: number, rates, frame: { startMs: START_MS, speed } }
  const device = plannedDevice(number, { deviceType, intervalSeconds })
  return new Sensor({ ...common, device, unit: new Unit(planned, common), unitId: planned.id })
}

function measureFor(sensor: Sensor, ms: number): Measurement[] {
  const measured: Measurement[] = []
  while (sensor.nextAtMs <= START_MS + ms) {
    const one = sensor.measure()
    if (one) measured.push(one)
  }
  return measured
}

const readingsFor = (sensor: Sensor, ms: number): MeasuredReading[] =>
  measureFor(sensor, ms).filter((one) => one.kind === 'reading')

const share = <T>(list: readonly T[], holds: (one: T) => boolean) => list.filter(holds).length / list.length

function present<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined)
}

/** As the wire has it. */
function toItem({ kind: _kind, devEui, measuredAtMs, ...fields }: Measurement) {
  return { device: devEui, at: measuredAtMs, ...fields }
}

describe.each(UNIT_TYPES)('sensors of a %s', (unitType) => {
  it.each(['temperature', 'door', 'temperature_door', 'temperature_humidity', 'humidity'])(
    'of the type %s measure what the protocol accepts, also with faults and after years',
    (deviceType) => {
      const rates = onlyFaults({ sensor_death: 3, compressor_failure: 3, door_left_open: 3 })
      for (const [speed, ms] of [
        [1, DAY_MS],
        [60, 2 * HOUR_MS],
        [3_600, HOUR_MS / 4],
      ] as const) {
        const sensor = open({ unitType, deviceType, rates, speed, intervalSeconds: ms / 200_000 })
        const measured = measureFor(sensor, ms)
        expect(measured.length).toBeGreaterThan(100)
        expect(measured.flatMap(problemsOf)).toEqual([])
      }
    },
  )

  it('show the limits kept nearly all the time', () => {
    const { tempMin, tempMax } = plannedUnit(unitType)
    for (let number = 1; number <= 12; number++) {
      const temperatures = present(
        readingsFor(open({ unitType, number }), DAY_MS).map((one) => one.temperature),
      )
      expect(temperatures).toHaveLength(1_440)
      const inside = share(temperatures, (value) => value >= (tempMin ?? 0) && value <= (tempMax ?? 0))
      expect(inside).toBeGreaterThan(0.95)
    }
  })
})

/** Against the protocol's schema, its rule that the decoder adds, and what our sensors promise beyond it. */
function problemsOf(one: Measurement): unknown[] {
  const parsed = (one.kind === 'door' ? hubDoorEvent : hubReading).safeParse(toItem(one))
  const issues = parsed.error?.issues ?? []
  if (one.kind === 'door') return issues
  const { temperature, humidity, battery, rssi, fault } = one
  const promises = {
    saysSomething: [temperature, humidity, battery, fault].some((value) => value !== undefined),
    twoDecimals: temperature === undefined || temperature === Number(temperature.toFixed(2)),
    wholeBattery: battery === undefined || Number.isInteger(battery),
    wholeRssi: Number.isInteger(rssi),
  }
  return [...issues, ...Object.entries(promises).filter(([, kept]) => !kept)]
}

describe('a sensor', () => {
  it('has the resolution of its kind: 0.01 °C or 0.1 °C', () => {
    const resolutions = Array.from({ length: 20 }, (_, number) => {
      const temperatures = present(readingsFor(open({ number }), 2 * HOUR_MS).map((one) => one.temperature))
      return temperatures.every((value) => value === Number(value.toFixed(1))) ? 0.1 : 0.01
    })
    expect(new Set(resolutions)).toEqual(new Set([0.1, 0.01]))
  })

  it('differs from another in the same unit by place and noise, but not by much', () => {
    const unit = { id: 'same' }
    const [one = [], other = []] = [1, 2].map((number) => {
      const sensor = open({ unit })
      const device = plannedDevice(number)
      const common = { seed: 1, rates: NO_FAULTS, frame: { startMs: START_MS, speed: 1 } }
      const planned = plannedUnit('fridge', unit)
      expect(sensor.device.devEui).toBe(plannedDevice(1).devEui)
      const second = new Sensor({ ...common, device, unit: new Unit(planned, common), unitId: planned.id })
      return present(readingsFor(second, DAY_MS).map(({ temperature }) => temperature))
    })
    expect(one).not.toEqual(other)
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(Math.abs(mean(one) - mean(other))).toBeLessThan(0.9)
  })

  it('reports its battery now and then', () => {
    const list = readingsFor(open(), DAY_MS)
    const levels = present(list.map(({ battery }) => battery))
    expect(levels.length).toBeGreaterThan(list.length / 30)
    expect(levels.length).toBeLessThan(list.length / 4)
  })

  it('has a battery that drains over years, point by point, and is replaced before it is empty', () => {
    const battery = new Battery(new Random('battery'))
    const days = Array.from({ length: 20 * 365 }, (_, day) => battery.percentAt(day * 86_400))
    const steps = days.slice(1).map((level, index) => level - (days[index] ?? 0))
    expect(steps.every((step) => step === 0 || step === -1 || step > 90)).toBe(true)
    const replaced = steps.filter((step) => step > 90).length
    expect(replaced).toBeGreaterThanOrEqual(3)
    expect(replaced).toBeLessThanOrEqual(10)
    expect(Math.min(...days)).toBe(3)
  })

  it('starts with a battery of its own, some nearly empty', () => {
    const levels = Array.from(
      { length: 300 },
      (_, number) => readingsFor(open({ number }), 60_000)[0]?.battery ?? 0,
    )
    expect(new Set(levels).size).toBeGreaterThan(30)
    expect(share(levels, (level) => level < 25)).toBeGreaterThan(0.01)
    expect(share(levels, (level) => level < 25)).toBeLessThan(0.1)
  })

  it('is heard at a level that drifts slowly', () => {
    const list = readingsFor(open(), 5 * DAY_MS)
    const levels = present(list.map(({ rssi }) => rssi))
    const steps = levels.slice(1).map((level, index) => Math.abs(level - (levels[index] ?? 0)))
    const range = Math.max(...levels) - Math.min(...levels)
    expect(range).toBeGreaterThan(8)
    expect(steps.reduce((sum, step) => sum + step, 0) / steps.length).toBeLessThan(1.5)
    expect(present(list.map(({ snr }) => snr))).toHaveLength(list.length)
  })

  it('of a door alone reports battery and radio at its interval, and each change of the door', () => {
    const measured = measureFor(open({ deviceType: 'door' }), DAY_MS)
    const beats = measured.filter((one) => one.kind === 'reading')
    expect(beats).toHaveLength(1_440)
    expect(
      beats.every(({ battery, temperature }) => battery !== undefined && temperature === undefined),
    ).toBe(true)
    expect(measured.length - beats.length).toBeGreaterThan(20)
  })

  it('for humidity reports both, and the open door shows', () => {
    const humidities = present(
      readingsFor(open({ deviceType: 'temperature_humidity' }), DAY_MS).map(({ humidity }) => humidity),
    )
    expect(humidities).toHaveLength(1_440)
    expect(Math.max(...humidities) - Math.min(...humidities)).toBeGreaterThan(8)
  })
})

describe('a dead sensor', () => {
  const rates = onlyFaults({ sensor_death: 3 })
  const lives = Array.from({ length: 30 }, (_, number) => {
    const sensor = open({ number, rates, deviceType: 'temperature_door', intervalSeconds: 20 })
    return measureFor(sensor, 8 * HOUR_MS).filter((one) => one.kind === 'reading')
  })

  it('falls silent for minutes, and comes back', () => {
    const gaps = lives.flatMap((list) =>
      list.slice(1).map(({ measuredAtMs }, index) => measuredAtMs - (list[index]?.measuredAtMs ?? 0)),
    )
    const silences = gaps.filter((gap) => gap > 50_000)
    expect(silences.length).toBeGreaterThan(100)
    expect(Math.max(...silences)).toBeLessThan(16 * 60_000)
  })

  it('reports a fault instead of a temperature, and recovers', () => {
    const all = lives.flat()
    const faulty = all.filter(({ fault }) => fault !== undefined)
    expect(share(all, ({ fault }) => fault !== undefined)).toBeGreaterThan(0.02)
    expect(
      faulty.every(({ temperature, humidity }) => temperature === undefined && humidity === undefined),
    ).toBe(true)
    expect(new Set(faulty.map(({ fault }) => fault)).size).toBeGreaterThan(2)
    expect(lives.every((list) => list.some(({ temperature }) => temperature !== undefined))).toBe(true)
  })

  it('is stuck at its last value, to the hundredth, for minutes', () => {
    const longest = (list: readonly MeasuredReading[]) => {
      let [best, length] = [1, 1]
      for (const [index, { temperature }] of list.entries()) {
        length = temperature !== undefined && temperature === list[index - 1]?.temperature ? length + 1 : 1
        best = Math.max(best, length)
      }
      return best
    }
    // Only those of the fine resolution: a coarse sensor repeats itself in good health.
    const fine = lives.filter((list) =>
      list.some(({ temperature }) => Math.round((temperature ?? 0) * 100) % 10 !== 0),
    )
    expect(fine.length).toBeGreaterThan(5)
    expect(share(fine, (list) => longest(list) >= 6)).toBeGreaterThan(0.8)
    const alive = open({ number: 3, deviceType: 'temperature_door', intervalSeconds: 20 })
    expect(
      longest(readingsFor(alive, 8 * HOUR_MS).filter(({ temperature }) => temperature !== undefined)),
    ).toBeLessThan(60)
  })

  it('that is silent misses changes of the door too', () => {
    const events = [NO_FAULTS, rates].map((each) => {
      const sensor = open({ rates: each, deviceType: 'door' })
      return measureFor(sensor, 5 * DAY_MS).filter(({ kind }) => kind === 'door')
    })
    const [alive = [], dying = []] = events
    const times = new Set(alive.map(({ measuredAtMs }) => measuredAtMs))
    expect(dying.every(({ measuredAtMs }) => times.has(measuredAtMs))).toBe(true)
    expect(dying.length).toBeLessThan(alive.length * 0.95)
    expect(dying.length).toBeGreaterThan(alive.length * 0.7)
  })

  it('that only watches a door reports no fault of a probe', () => {
    const list = measureFor(open({ rates, deviceType: 'door', intervalSeconds: 20 }), DAY_MS)
    expect(list.every((one) => one.kind === 'door' || one.fault === undefined)).toBe(true)
    expect(list.length).toBeLessThan(4_320 * 0.95)
  })
})

it.each([
  ['temperature', [true, false, false]],
  ['door', [false, false, true]],
  ['temperature_door', [true, false, true]],
  ['temperature_humidity', [true, true, false]],
  ['humidity', [false, true, false]],
  ['probe', [true, false, false]],
])('the device type %s is read', (deviceType, [temperature, humidity, door]) => {
  expect(parseAbilities(deviceType)).toEqual({ temperature, humidity, door })
})
