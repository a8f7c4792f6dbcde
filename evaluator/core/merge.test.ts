import { describe, expect, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { episodeOf, trackOf, versionOf } from '../testing/words.ts'
import { mergeEpisodes } from './merge.ts'
import type { AlertFacts, Condition, Episode, RuleTrack } from './types.ts'

const ABOVE: Condition = {
  type: 'temperature_above',
  limitCenti: 500,
  hysteresisCenti: 50,
  inclusive: false,
  forMs: 0,
}
const UNIT = { unitId: 4 }

describe('episodes of temperature and doors', () => {
  test('that overlap are one alert of the unit: the earliest start and trigger, the latest end', () => {
    const merged = mergeEpisodes(UNIT, trackOf(ABOVE), [
      episodeOf(200, 500, { deviceId: 2, triggeredAtMs: 250 }),
      episodeOf(100, 300, { deviceId: 1, triggeredAtMs: 280 }),
    ])
    expect(merged).toMatchObject([
      { unitId: 4, hubId: null, deviceId: null, startedAtMs: 100, triggeredAtMs: 250, endedAtMs: 500 },
    ])
  })

  test('that touch are one alert', () => {
    expect(merge(episodeOf(0, 100), episodeOf(100, 200, { deviceId: 2 }))).toHaveLength(1)
    expect(merge(episodeOf(0, 100), episodeOf(101, 200, { deviceId: 2 }))).toHaveLength(2)
  })

  test('are one alert over one that lies between them', () => {
    expect(
      merge(episodeOf(0, 10), episodeOf(5, 90, { deviceId: 2 }), episodeOf(80, 99, { deviceId: 3 })),
    ).toMatchObject([{ startedAtMs: 0, endedAtMs: 99 }])
  })

  test('run while one of them runs', () => {
    expect(merge(episodeOf(0, null), episodeOf(5, 10, { deviceId: 2 }))).toMatchObject([
      { endedAtMs: null, resolution: null },
    ])
    expect(merge(episodeOf(0, null), episodeOf(500, null, { deviceId: 2 }))).toHaveLength(1)
  })

  test('confirmed is the largest of them, unknown that of the same one', () => {
    const merged = merge(
      episodeOf(0, 100, { confirmedMs: 50, unknownMs: 1 }),
      episodeOf(10, 90, { deviceId: 2, confirmedMs: 60, unknownMs: 7 }),
      episodeOf(20, 80, { deviceId: 3, confirmedMs: 10, unknownMs: 70 }),
    )
    expect(merged).toMatchObject([{ confirmedMs: 60, unknownMs: 7 }])
    // Of two that are as large, the one that leaves more unknown.
    const equal = [{ unknownMs: 1 }, { unknownMs: 7 }].map((other) =>
      episodeOf(0, 100, { confirmedMs: 5, ...other }),
    )
    expect(merge(...equal)).toMatchObject([{ unknownMs: 7 }])
  })

  test('value, limit, version and severity are those of the first that triggered', () => {
    const first = {
      triggeredAtMs: 50,
      triggerCenti: 610,
      limitCenti: 400,
      ruleVersion: 2,
      severity: 'info',
    } as const
    const [facts] = merge(
      episodeOf(0, 100, { triggeredAtMs: 60 }),
      episodeOf(10, 90, { deviceId: 2, ...first }),
    )
    expect(facts).toMatchObject(first)
  })

  test.each<[string, Condition, number]>([
    ['above', ABOVE, 900],
    ['below', { ...ABOVE, type: 'temperature_below' }, -20],
    [
      'cumulative below',
      { type: 'temperature_cumulative', direction: 'below', limitCenti: 0, totalMs: 1, windowMs: 1 },
      -20,
    ],
    ['n of m above', { type: 'temperature_n_of_m', direction: 'above', limitCenti: 0, n: 1, m: 1 }, 900],
    // A fall is kept by its size.
    ['falling', { type: 'rate_of_change', direction: 'falling', deltaCenti: 250, windowMs: 1 }, 900],
  ])('the peak is the worst: %s', (_name, condition, expected) => {
    const peaks = [-20, 900, null].map((peakCenti, index) => episodeOf(0, 9, { peakCenti, deviceId: index }))
    expect(mergeEpisodes(UNIT, trackOf(condition), peaks)).toMatchObject([{ peakCenti: expected }])
  })

  test('of doors have no values', () => {
    const none = {
      conditionType: 'door_open',
      triggerCenti: null,
      limitCenti: null,
      peakCenti: null,
    } as const
    expect(
      mergeEpisodes(UNIT, trackOf({ type: 'door_open', forMs: 1 }), [episodeOf(0, 9, none)]),
    ).toMatchObject([{ alertType: 'door_open', peakCenti: null, triggerCenti: null }])
  })

  test('have recovered as the last of them has; where its rule ended, they have not', () => {
    const gone = { deviceId: 2, resolution: 'rule_changed' } as const
    expect(merge(episodeOf(0, 100), episodeOf(0, 90, gone))).toMatchObject([{ resolution: 'recovered' }])
    expect(merge(episodeOf(0, 100), episodeOf(0, 100, gone))).toMatchObject([{ resolution: 'rule_changed' }])
  })
})

test.each<Condition>([
  { type: 'battery_below', limit: 20 },
  { type: 'sensor_fault', kind: 'fault', forMs: 1 },
  { type: 'calibration_due', daysAhead: 30 },
  { type: 'no_data', missed: 5 },
])('$type: one alert for each device and episode', (condition) => {
  const episodes = [episodeOf(0, 100), episodeOf(100, null), episodeOf(50, 80, { deviceId: 2 })]
  expect(mergeEpisodes(UNIT, trackOf(condition), episodes)).toMatchObject([
    { unitId: 4, deviceId: 1, startedAtMs: 0, endedAtMs: 100 },
    { deviceId: 2, startedAtMs: 50 },
    { deviceId: 1, startedAtMs: 100, endedAtMs: null },
  ])
})

test('the order of the episodes does not matter, and their alerts lie apart', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const track: RuleTrack = trackOf(ABOVE, [
    versionOf(ABOVE, { toMs: 30 }),
    versionOf(ABOVE, { version: 2, fromMs: 30 }),
  ])
  for (let round = 0; round < 500; round++) {
    const random = new Random(seed, String(round))
    const episodes = Array.from({ length: random.integer(0, 8) }, (_, index) => randomEpisode(random, index))
    const shuffled = episodes
      .map((episode) => ({ episode, key: random.next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ episode }) => episode)
    const facts = mergeEpisodes(UNIT, track, episodes)
    const message = `seed ${seed}, round ${round}`
    expect(mergeEpisodes(UNIT, track, shuffled), message).toEqual(facts)
    const covered = (atMs: number, all: readonly (Episode | AlertFacts)[]) =>
      all.filter(({ startedAtMs, endedAtMs }) => startedAtMs <= atMs && atMs <= (endedAtMs ?? Infinity))
        .length
    for (let atMs = 0; atMs < 70; atMs++) {
      expect(covered(atMs, facts), message).toBe(Math.min(1, covered(atMs, episodes)))
    }
  }
})

function merge(...episodes: Episode[]): AlertFacts[] {
  return mergeEpisodes(UNIT, trackOf(ABOVE), episodes)
}

function randomEpisode(random: Random, deviceId: number): Episode {
  const startedAtMs = random.integer(0, 50)
  const endedAtMs = random.chance(0.1) ? null : startedAtMs + random.integer(0, 10)
  return episodeOf(startedAtMs, endedAtMs, {
    deviceId,
    triggeredAtMs: startedAtMs + random.integer(0, 3),
    ruleVersion: random.integer(1, 2),
    resolution: endedAtMs === null ? null : random.pick(['recovered', 'rule_changed']),
    peakCenti: random.integer(500, 900),
    confirmedMs: random.integer(0, 3),
    unknownMs: random.integer(0, 3),
  })
}
