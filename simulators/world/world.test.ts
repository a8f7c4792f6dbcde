import { randomInt } from 'node:crypto'
import { describe, expect, it, test } from 'vitest'
import { parseFaults } from '../faults/rates.ts'
import type { FaultRates, FleetPlan, Measurement } from '../types.ts'
import { NO_FAULTS, onlyFaults, plannedDevice, plannedUnit, START_MS, UNIT_TYPES } from './testing/units.ts'
import { World } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const MANY_FAULTS = onlyFaults({ sensor_death: 6, compressor_failure: 3, door_left_open: 3 })
const DEVICE_TYPES = ['temperature', 'temperature_door', 'temperature_humidity', 'door']

/** A unit of each type, each with a device of each type; the first devices connect by themselves. */
function exampleFleet(): FleetPlan {
  const units = UNIT_TYPES.map((unitType, unit) =>
    plannedUnit(unitType, {
      devices: DEVICE_TYPES.map((deviceType, index) =>
        plannedDevice(unit * DEVICE_TYPES.length + index, {
          deviceType,
          intervalSeconds: index === 0 ? 60 : 20,
          hub: index === 0 ? undefined : `hub-${(unit % 2) + 1}`,
        }),
      ),
    }),
  )
  return { organization: 'test', units, hubs: ['hub-1', 'hub-2'] }
}

interface RunOptions {
  seed?: number
  rates?: FaultRates
  speed?: number
  fleet?: FleetPlan
}

function openWorld({
  seed = 1,
  rates = NO_FAULTS,
  speed = 1,
  fleet = exampleFleet(),
}: RunOptions = {}): World {
  return new World({ fleet, seed, rates, startMs: START_MS, speed })
}

/** Everything until each of the times (ms since the start), by publisher. */
function run(times: readonly number[], options: RunOptions = {}, look = (_world: World) => {}) {
  const world = openWorld(options)
  const all = new Map<string, Measurement[]>()
  for (const time of times) {
    for (const [publisher, list] of world.advance(START_MS + time)) {
      const before = all.get(publisher)
      if (before) before.push(...list)
      else all.set(publisher, list)
    }
    look(world)
  }
  return all
}

const everyMs = (stepMs: number, endMs: number) =>
  Array.from({ length: endMs / stepMs }, (_, index) => (index + 1) * stepMs)

const sorted = (all: Map<string, Measurement[]>) => [...all].sort(([one], [other]) => (one < other ? -1 : 1))

function byDevice(all: Map<string, Measurement[]>): Map<string, Measurement[]> {
  return Map.groupBy([...all.values()].flat(), ({ devEui }) => devEui)
}

const readings = (list: readonly Measurement[]) => list.filter((one) => one.kind === 'reading')
const doors = (list: readonly Measurement[]) => list.filter((one) => one.kind === 'door')

describe('determinism', () => {
  const seed = Number(process.env['WORLD_SEED'] ?? randomInt(2 ** 31))

  it.each([1, 60, 3_600])(
    `is the same however the calls are spaced, at speed %d (WORLD_SEED=${seed})`,
    (speed) => {
      const options = { seed, rates: MANY_FAULTS, speed }
      const end = (speed > 1_000 ? 3 : 20) * MINUTE_MS
      const whole = sorted(run([end], options))
      expect(whole.flatMap(([, list]) => list).length).toBeGreaterThan(300)
      expect(sorted(run(everyMs(250, end), options))).toEqual(whole)
      const uneven = [...new Set(Array.from({ length: 50 }, () => randomInt(end))), end].sort((a, b) => a - b)
      expect(sorted(run(uneven, options))).toEqual(whole)
      expect(sorted(run(everyMs(5_000, end), options, (world) => world.summary()))).toEqual(whole)
    },
  )

  it('is another for another seed', () => {
    const texts = [1, 2].map((other) => JSON.stringify(sorted(run([HOUR_MS], { seed: other }))))
    expect(texts[0]).not.toBe(texts[1])
  })

  it('of a unit does not depend on the others', () => {
    const fleet = exampleFleet()
    const alone = byDevice(run([HOUR_MS], { fleet: { ...fleet, units: fleet.units.slice(2, 3) } }))
    const together = byDevice(run([HOUR_MS], { fleet }))
    expect(alone.size).toBe(DEVICE_TYPES.length)
    for (const [devEui, list] of alone) expect(together.get(devEui)).toEqual(list)
  })

  it('of what a dead sensor says after its death is as if it had lived', () => {
    const alive = byDevice(run([2 * HOUR_MS]))
    const dying = byDevice(run([2 * HOUR_MS], { rates: onlyFaults({ sensor_death: 2 }) }))
    for (const [devEui, list] of alive) {
      const same = new Set(list.map((one) => JSON.stringify(one)))
      const shared = (dying.get(devEui) ?? []).filter((one) => same.has(JSON.stringify(one))).length
      expect(shared).toBeGreaterThan(list.length / 2)
    }
    expect(JSON.stringify(sorted(dying))).not.toBe(JSON.stringify(sorted(alive)))
  })
})

describe('times', () => {
  it.each([1, 3_600])(
    'are whole, strictly increasing per device and in order per publisher, at speed %d',
    (speed) => {
      const end = (speed > 1_000 ? 5 : 60) * MINUTE_MS
      const all = run(everyMs(1_000, end), { rates: MANY_FAULTS, speed })
      for (const list of byDevice(all).values()) {
        const times = list.map(({ measuredAtMs }) => measuredAtMs)
        expect(times.every(Number.isInteger)).toBe(true)
        expect(times.slice(1).every((time, index) => time > (times[index] ?? Infinity))).toBe(true)
      }
      for (const list of all.values()) {
        const times = list.map(({ measuredAtMs }) => measuredAtMs)
        expect(times).toEqual([...times].sort((a, b) => a - b))
      }
    },
  )

  it('are those that fell due between two calls, the last one included', () => {
    const world = openWorld()
    expect(world.advance(START_MS - 1).size).toBe(0)
    expect(world.summary()).toMatchObject({ units: UNIT_TYPES.length, doorsOpen: 0, warm: 0 })
    const first = [...world.advance(START_MS + 5 * MINUTE_MS).values()].flat()
    expect(first.every(({ measuredAtMs }) => measuredAtMs >= START_MS)).toBe(true)
    const last = Math.max(...first.map(({ measuredAtMs }) => measuredAtMs))
    expect(world.advance(START_MS).size).toBe(0)
    const again = [...openWorld().advance(last).values()].flat()
    expect(again).toHaveLength(first.length)
  })

  it('of readings have the interval of their device, each device its own phase and a small jitter', () => {
    const all = byDevice(run([2 * HOUR_MS]))
    const phases = new Set<number>()
    for (const { devEui, intervalSeconds } of exampleFleet().units.flatMap(({ devices }) => devices)) {
      const times = readings(all.get(devEui) ?? []).map(({ measuredAtMs }) => measuredAtMs)
      expect(Math.abs(times.length - 7_200 / intervalSeconds)).toBeLessThanOrEqual(1)
      phases.add((times[0] ?? 0) - START_MS)
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0) - intervalSeconds * 1_000)
      expect(Math.max(...gaps.map(Math.abs))).toBeLessThanOrEqual(500)
      expect(new Set(gaps).size).toBeGreaterThan(10)
    }
    expect(phases.size).toBe(UNIT_TYPES.length * DEVICE_TYPES.length)
  })
})

test('a device with a hub is published by its hub, one without by itself', () => {
  const all = run([HOUR_MS])
  const publisherOf = new Map(
    [...all].flatMap(([publisher, list]) => list.map(({ devEui }) => [devEui, publisher])),
  )
  for (const { devEui, hub } of exampleFleet().units.flatMap(({ devices }) => devices)) {
    expect(publisherOf.get(devEui)).toBe(hub ?? `device:${devEui}`)
  }
})

test('door sensors of a unit see the same openings, at times of their own; others see none', () => {
  const all = byDevice(run([12 * HOUR_MS]))
  for (const { devices } of exampleFleet().units) {
    const events = devices.map(({ devEui }) => doors(all.get(devEui) ?? []))
    const [none, both, humidity, contact] = events
    expect([none, humidity]).toEqual([[], []])
    expect(contact?.length).toBeGreaterThan(0)
    expect(both?.map(({ state }) => state)).toEqual(contact?.map(({ state }) => state))
    const apart =
      contact?.map(({ measuredAtMs }, index) => measuredAtMs - (both?.[index]?.measuredAtMs ?? 0)) ?? []
    expect(Math.max(...apart.map(Math.abs))).toBeLessThanOrEqual(250)
    expect(apart.some((ms) => ms !== 0)).toBe(true)
    expect(contact?.every(({ state }, index) => state === (index % 2 === 0 ? 'open' : 'closed'))).toBe(true)
  }
})

describe('faults', () => {
  /** Many small units, so that shares are steady. */
  const fleet: FleetPlan = {
    organization: 'test',
    hubs: ['hub-1'],
    units: Array.from({ length: 600 }, (_, index) =>
      plannedUnit('fridge', {
        id: `Bistro/Kitchen/${index}`,
        devices: [plannedDevice(index, { intervalSeconds: 3_600 })],
      }),
    ),
  }

  it.each([
    ['sensor_death', 'sensorsDead', 4],
    ['compressor_failure', 'compressorsFailed', 7],
  ] as const)(
    '%s: of units at a rate, the share that is broken is rate × duration',
    (name, counted, minutes) => {
      const rate = 3
      let broken = 0
      const times = everyMs(10 * MINUTE_MS, 4 * HOUR_MS)
      run(times, { fleet, rates: onlyFaults({ [name]: rate }), speed: 1 }, (world) => {
        broken += world.summary()[counted]
      })
      const share = broken / (times.length * fleet.units.length)
      const expected = (rate * minutes) / 60 / (1 + (rate * minutes) / 60)
      expect(share).toBeGreaterThan(expected * 0.88)
      expect(share).toBeLessThan(expected * 1.12)
    },
  )

  it('leave doors open that are closed again', () => {
    const open: number[] = []
    for (const rates of [NO_FAULTS, onlyFaults({ door_left_open: 3 })]) {
      let sum = 0
      run(everyMs(10 * MINUTE_MS, 4 * HOUR_MS), { fleet, rates }, (world) => {
        sum += world.summary().doorsOpen
      })
      open.push(sum / 24 / fleet.units.length)
    }
    // At 3 an hour for 7 minutes: some 26 % of the time, beside the usual openings of the night.
    expect(open[0]).toBeLessThan(0.02)
    expect(open[1]).toBeGreaterThan(0.22)
    expect(open[1]).toBeLessThan(0.3)
  })

  it('count hours of the clock, whatever the speed of the physics', () => {
    const counts = [1, 20].map((speed) => {
      const world = openWorld({ fleet, rates: onlyFaults({ compressor_failure: 1, sensor_death: 1 }), speed })
      world.advance(START_MS + HOUR_MS)
      const { compressorsFailed, sensorsDead } = world.summary()
      return { compressorsFailed, sensorsDead }
    })
    expect(counts[0]?.compressorsFailed).toBeGreaterThan(20)
    // The physics see times as seconds with fractions: an edge may fall into another step.
    expect(Math.abs((counts[0]?.compressorsFailed ?? 0) - (counts[1]?.compressorsFailed ?? 0))).toBeLessThan(
      5,
    )
    expect(counts[0]?.sensorsDead).toBe(counts[1]?.sensorsDead)
  })

  it('of the profile "demo" begin and end within ten minutes, in a fleet of some size', () => {
    const seen = { sensorsDead: new Set<number>(), compressorsFailed: new Set<number>() }
    run(everyMs(MINUTE_MS, 10 * MINUTE_MS), { fleet, rates: parseFaults('demo') }, (world) => {
      const summary = world.summary()
      seen.sensorsDead.add(summary.sensorsDead)
      seen.compressorsFailed.add(summary.compressorsFailed)
    })
    expect(seen.sensorsDead.size).toBeGreaterThan(2)
    expect(seen.compressorsFailed.size).toBeGreaterThan(2)
  })

  it('do not happen at a rate of 0', () => {
    run(everyMs(HOUR_MS, 12 * HOUR_MS), { fleet }, (world) => {
      expect(world.summary()).toMatchObject({ compressorsFailed: 0, sensorsDead: 0 })
    })
  })

  it('show as warm units', () => {
    const warm = [NO_FAULTS, onlyFaults({ compressor_failure: 20 })].map((rates) => {
      const world = openWorld({ fleet, rates, speed: 60 })
      world.advance(START_MS + 15 * MINUTE_MS)
      return world.summary().warm
    })
    expect(warm[0]).toBeLessThan(fleet.units.length * 0.05)
    expect(warm[1]).toBeGreaterThan(fleet.units.length * 0.3)
  })
})

test.each([0, -1, Number.NaN, 3_601])('a speed of %d is refused', (speed) => {
  expect(() => openWorld({ speed })).toThrow(RangeError)
})
