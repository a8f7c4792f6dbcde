import type { Random } from '../../simulators/random.ts'
import type { Judging } from '../core/device.ts'
import type { Condition, ReadingInput, RuleTrack, RuleVersion } from '../core/types.ts'
import { judgingBy, trackOf, version } from './judging.ts'

const INTERVAL_MS = 300_000
const READINGS = 220
const MIDDLE_CENTI = 500

/** What follows a reading of a device: mostly the next check-in, at times more, a gap, a long gap, or nothing at all. */
const PAUSES_MS = [
  300_000, 300_000, 300_000, 300_000, 299_000, 300_000, 60_000, 600_000, 601_000, 0, 2_000_000, 14_400_001,
]

/** The readings of one device in order, round the limits of `randomJudging`: excursions, runs, faults, gaps, equal times. */
export function randomReadings(random: Random, count = READINGS): ReadingInput[] {
  const readings: ReadingInput[] = []
  let atMs = 0
  let recordedAtMs = 0
  let centi = MIDDLE_CENTI
  let battery = 22
  const isSteady = random.chance(0.3)
  for (let index = 0; index < count; index += 1) {
    const pauseMs = isSteady ? INTERVAL_MS : random.pick(PAUSES_MS)
    atMs += pauseMs
    // Its clock runs ahead: recorded later than received.
    recordedAtMs = pauseMs === 0 ? recordedAtMs + 1_000 : atMs
    if (!random.chance(0.3)) centi = MIDDLE_CENTI + random.integer(-1, 1) * random.pick([5, 20, 45, 60, 300])
    if (random.chance(0.2)) battery = random.integer(16, 28)
    readings.push({
      kind: 'reading',
      deviceId: 1,
      atMs,
      recordedAtMs,
      receivedAtMs: atMs + random.pick([0, 0, 0, 5_000_000]),
      temperatureCenti: random.chance(0.07) ? null : centi,
      battery: random.chance(0.5) ? battery : null,
      fault: random.chance(0.2) ? 'open' : null,
    })
  }
  return readings
}

/** Rules of every condition round the middle, some changed while the readings came, some with a hole. */
export function randomJudging(random: Random, readings: readonly ReadingInput[]): Judging {
  const lastMs = readings.at(-1)?.atMs ?? 0
  const conditions = CONDITIONS.filter(() => random.chance(0.6))
  const tracks = [...conditions, battery].map((condition, index) =>
    randomTrack(random, { condition, ruleId: index + 1, lastMs }),
  )
  const openFromMs = random.integer(0, lastMs)
  const changesMs = random.integer(0, lastMs)
  return judgingBy(tracks, {
    isDoorOpenAt: (atMs) => atMs >= openFromMs && atMs < openFromMs + 40_000_000,
    intervalMs: [
      { fromMs: Number.NEGATIVE_INFINITY, value: INTERVAL_MS },
      { fromMs: changesMs, value: random.pick([60_000, INTERVAL_MS, 900_000]) },
    ],
  })
}

type Make = (random: Random) => Condition

const near = (random: Random) => MIDDLE_CENTI + random.integer(-3, 3) * 10
const direction = (random: Random) => random.pick(['above', 'below'] as const)
const battery: Make = (random) => ({ type: 'battery_below', limit: random.integer(18, 22) })

const CONDITIONS: readonly Make[] = [
  (random) => limit(random, 'temperature_above'),
  (random) => limit(random, 'temperature_below'),
  (random) => ({
    type: 'temperature_cumulative',
    direction: direction(random),
    limitCenti: near(random),
    totalMs: random.integer(1, 10) * 150_000,
    windowMs: 3_600_000,
  }),
  (random) => ({
    type: 'temperature_n_of_m',
    direction: direction(random),
    limitCenti: near(random),
    n: random.integer(2, 4),
    m: 6,
  }),
  (random) => ({
    type: 'rate_of_change',
    direction: random.pick(['rising', 'falling'] as const),
    deltaCenti: random.pick([40, 60, 300]),
    windowMs: 900_000,
  }),
  (random) => ({
    type: 'sensor_fault',
    kind: 'stuck',
    forMs: random.integer(1, 4) * 300_000,
    minReadings: random.integer(2, 4),
  }),
  (random) => ({ type: 'sensor_fault', kind: 'jump', maxStepCenti: random.pick([50, 300]) }),
  (random) => ({ type: 'sensor_fault', kind: 'fault', forMs: random.integer(0, 2) * 300_000 }),
]

function limit(random: Random, type: 'temperature_above' | 'temperature_below'): Condition {
  return {
    type,
    limitCenti: near(random),
    hysteresisCenti: random.pick([0, 20, 50]),
    inclusive: random.chance(0.3),
    forMs: random.pick([null, 0, 300_000, 900_000]),
  }
}

function randomTrack(random: Random, given: { condition: Make; ruleId: number; lastMs: number }): RuleTrack {
  const { condition, ruleId, lastMs } = given
  const versions: RuleVersion[] = [
    version(condition(random), {
      triggers: {
        by: 'received',
        fromMs: random.chance(0.3) ? random.integer(0, lastMs) : Number.NEGATIVE_INFINITY,
      },
    }),
  ]
  for (const fromMs of drawTimes(random, lastMs)) {
    const previous = versions.at(-1)
    // It ends with the next one, or before.
    if (previous) previous.toMs = random.chance(0.3) ? fromMs - 1_000_000 : fromMs
    versions.push(
      version(condition(random), { version: versions.length + 1, fromMs, triggers: { by: 'at', fromMs } }),
    )
  }
  return trackOf(
    versions.filter(({ fromMs, toMs }) => fromMs < toMs),
    ruleId,
  )
}

function drawTimes(random: Random, lastMs: number): number[] {
  const count = random.pick([0, 0, 1, 2])
  return Array.from({ length: count }, () => random.integer(0, lastMs)).toSorted((a, b) => a - b)
}
