import { describe, expect, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { deviceOf, seconds, trackOf, versionOf } from '../testing/words.ts'
import type { Pause } from './pauses.ts'
import {
  clockLagMs,
  type Hearing,
  hear,
  type Listening,
  missedCheckIns,
  newHearing,
  type Silences,
  silence,
} from './silence.ts'
import type { ReadingInput } from './types.ts'

/** 5 check-ins of 300 s and 30 s. */
const DUE = 1530
const LISTENING: Listening = {
  device: deviceOf(),
  tracks: [trackOf({ type: 'no_data', missed: 5 })],
  pauses: [],
}

describe('silence', () => {
  test('S13: is due when 5 check-ins and 30 s have passed, and ended by the next reading', () => {
    const hearing = heard([0, 300, 600, 900])
    expect(silence(hearing, LISTENING, seconds(2429.999))).toMatchObject({ episodes: [], isNews: false })
    const raised = {
      startedAtMs: seconds(900),
      triggeredAtMs: seconds(2430),
      endedAtMs: null,
      resolution: null,
    }
    expect(silence(hearing, LISTENING, seconds(2430))).toMatchObject({ episodes: [raised], isNews: true })
    expect(silence(hearing, LISTENING, seconds(2435))).toMatchObject({ episodes: [raised], isNews: false })
    expect(hear(hearing, reading(3600, 3602), LISTENING)).toMatchObject({
      episodes: [{ ...raised, endedAtMs: seconds(3600), resolution: 'recovered' }],
      isNews: true,
    })
    expect(hear(hearing, reading(3900, 3902), LISTENING)).toMatchObject({ episodes: [], isNews: false })
  })

  test('is not missed between two ticks of the clock', () => {
    expect(hear(heard([0]), reading(1600), LISTENING)).toMatchObject({
      episodes: [{ startedAtMs: 0, triggeredAtMs: seconds(DUE), endedAtMs: seconds(1600) }],
      isNews: true,
    })
  })

  test('is over at the instant of an arrival, and none within a message whose first readings are old', () => {
    expect(hear(heard([0]), reading(DUE), LISTENING)).toEqual(NOTHING)
    const hearing = newHearing()
    for (const at of [0, 300, 5000, 19_800])
      expect(hear(hearing, reading(at, 20_000), LISTENING)).toEqual(NOTHING)
  })

  test('is not missed where what arrives first after it is older still', () => {
    const hearing = heard([900])
    expect(hear(hearing, reading(600, 4000), LISTENING)).toEqual(NOTHING)
    expect(hear(hearing, reading(3990, 4000), LISTENING)).toMatchObject({
      episodes: [{ triggeredAtMs: seconds(2430), endedAtMs: seconds(3990) }],
    })
  })

  test('is a fact about arrival: a backfill ends it and never withdraws it', () => {
    const hearing = raisedAt(DUE)
    // Measured before the silence was due; it does not end before it was raised.
    expect(hear(hearing, reading(1200, 2000), LISTENING).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(DUE), endedAtMs: seconds(DUE), resolution: 'recovered' },
    ])
  })

  test('is not ended by a backfill that is itself too old; it goes on from where it began', () => {
    const hearing = raisedAt(DUE)
    const raised = { startedAtMs: 0, triggeredAtMs: seconds(DUE), endedAtMs: null }
    const tooOld = hear(hearing, reading(600, 20_000), LISTENING)
    expect(tooOld).toMatchObject({ episodes: [raised], isNews: false })
    expect(silence(hearing, LISTENING, seconds(20_001))).toMatchObject({ episodes: [raised], isNews: false })
    expect(hear(hearing, reading(19_900, 20_002), LISTENING).episodes).toMatchObject([
      { ...raised, endedAtMs: seconds(19_900) },
    ])
  })

  test('takes the earlier one of measured and arrived: a clock that runs ahead does not hide it', () => {
    const hearing = newHearing()
    hear(hearing, { ...reading(0), recordedAtMs: seconds(9000) }, LISTENING)
    expect(silence(hearing, LISTENING, seconds(DUE)).episodes).toHaveLength(1)
  })

  test('that a reading disproves which had arrived before it was due was none', () => {
    const hearing = raisedAt(DUE + 5)
    expect(hear(hearing, reading(1500, DUE - 1), LISTENING)).toMatchObject({ episodes: [], isNews: true })
    expect(silence(hearing, LISTENING, seconds(DUE + 10))).toMatchObject({ episodes: [], isNews: false })
  })

  test('is not held against devices for doors alone, nor before a first reading', () => {
    const doors = { ...LISTENING, device: deviceOf({ deviceType: 'door', hasTemperature: false }) }
    expect(silence(heard([0]), doors, seconds(9000))).toEqual(NOTHING)
    expect(silence(newHearing(), LISTENING, seconds(9000))).toEqual(NOTHING)
  })

  test('is judged by each rule for itself', () => {
    const tracks = [
      trackOf({ type: 'no_data', missed: 5 }),
      { ...trackOf({ type: 'no_data', missed: 2 }), ruleId: 2 },
    ]
    const listening = { ...LISTENING, tracks }
    const hearing = heard([0])
    expect(silence(hearing, listening, seconds(700))).toMatchObject({
      episodes: [{ ruleId: 2 }],
      isNews: true,
    })
    expect(silence(hearing, listening, seconds(DUE))).toMatchObject({
      episodes: [{ ruleId: 1 }, { ruleId: 2 }],
      isNews: true,
    })
    // 1,400 s old: not five check-ins, but more than two.
    expect(hear(hearing, reading(600, 2000), listening).episodes).toMatchObject([
      { ruleId: 1, endedAtMs: seconds(DUE) },
      { ruleId: 2, endedAtMs: null },
    ])
    expect(silence(hearing, listening, seconds(2001))).toMatchObject({
      episodes: [{ ruleId: 2, startedAtMs: 0 }],
      isNews: false,
    })
  })

  test('ends with its rule, once', () => {
    const tracks = [
      trackOf({ type: 'no_data', missed: 5 }, [
        versionOf({ type: 'no_data', missed: 5 }, { toMs: seconds(2000) }),
      ]),
    ]
    const listening = { ...LISTENING, tracks }
    const ended = { triggeredAtMs: seconds(DUE), endedAtMs: seconds(2000), resolution: 'rule_changed' }
    // Whether it was found to be raised before or not.
    for (const hearing of [raisedAt(DUE), heard([0])]) {
      expect(silence(hearing, listening, seconds(2001))).toMatchObject({ episodes: [ended], isNews: true })
      expect(silence(hearing, listening, seconds(2002))).toMatchObject({ isNews: false })
    }
  })

  test('of a rule that is new is raised from its creation on', () => {
    const created = versionOf(
      { type: 'no_data', missed: 5 },
      { fromMs: -Infinity, triggers: { by: 'received', fromMs: seconds(5000) } },
    )
    const listening = { ...LISTENING, tracks: [trackOf(created.condition, [created])] }
    expect(silence(heard([0]), listening, seconds(5001)).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(5000) },
    ])
  })

  test('is judged by the reporting interval in force', () => {
    const intervals = (second: number, value: number) => ({
      ...LISTENING,
      device: deviceOf({
        intervalMs: [
          { fromMs: -Infinity, value: seconds(300) },
          { fromMs: seconds(second), value: seconds(value) },
        ],
      }),
    })
    expect(silence(heard([0]), intervals(1000, 3600), seconds(18_029)).episodes).toEqual([])
    expect(silence(heard([0]), intervals(1000, 3600), seconds(18_030)).episodes).toHaveLength(1)
    expect(silence(heard([0]), intervals(1000, 60), seconds(1000)).episodes).toMatchObject([
      { triggeredAtMs: seconds(1000) },
    ])
  })

  test('does not count our downtime and what follows it, nor an outage of the hub', () => {
    const paused = { ...LISTENING, pauses: [pause(100, 1100)] }
    expect(silence(heard([0]), paused, seconds(DUE + 999)).episodes).toEqual([])
    expect(silence(heard([0]), paused, seconds(DUE + 1000)).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(DUE + 1000) },
    ])
    expect(silence(heard([0]), { ...LISTENING, pauses: [pause(100, null)] }, seconds(1e6)).episodes).toEqual(
      [],
    )
  })

  test('that runs goes on over an outage of the hub', () => {
    const hearing = raisedAt(DUE)
    const paused = { ...LISTENING, pauses: [pause(2000, null)] }
    expect(silence(hearing, paused, seconds(9000))).toMatchObject({
      episodes: [{ triggeredAtMs: seconds(DUE), endedAtMs: null }],
      isNews: false,
    })
  })

  test('can be stored as JSON at any time', () => {
    const hearing = raisedAt(DUE)
    const restored: Hearing = JSON.parse(JSON.stringify(hearing))
    const next = reading(3600, 3602)
    expect(hear(restored, next, LISTENING)).toEqual(hear(hearing, next, LISTENING))
    expect(restored).toEqual(hearing)
  })

  test('over random arrivals, ticks change nothing: it is what the arrivals say', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    for (let round = 0; round < 150; round++) {
      const random = new Random(seed, String(round))
      const arrivals = randomArrivals(random)
      const endMs = (arrivals.at(-1)?.receivedAtMs ?? 0) + seconds(random.integer(0, 4000))
      const ticked = run(arrivals, endMs, () => random.chance(0.5))
      expect(ticked, `seed ${seed}, round ${round}`).toEqual(run(arrivals, endMs, () => false))
      expect(ticked, `seed ${seed}, round ${round}`).toEqual(plainSilences(arrivals, endMs))
    }
  })
})

describe('check-ins', () => {
  test('k of them are missed from k intervals and 30 s on', () => {
    const hearing = heard([0])
    const missed = [0, 329.999, 330, 629.999, 630, 1529.999, DUE].map((now) =>
      missedCheckIns(hearing, LISTENING, seconds(now)),
    )
    expect(missed).toEqual([0, 0, 1, 1, 2, 4, 5])
    expect(missedCheckIns(newHearing(), LISTENING, 0)).toBe(null)
  })

  test('are not missed in a pause', () => {
    const paused = { ...LISTENING, pauses: [pause(100, 1100)] }
    expect(missedCheckIns(heard([0]), paused, seconds(1329))).toBe(0)
    expect(missedCheckIns(heard([0]), paused, seconds(1330))).toBe(1)
  })
})

describe('a clock that lags', () => {
  const hearing = newHearing()
  for (let at = 0; at <= 3000; at += 300) hear(hearing, reading(at, at + 7200), LISTENING)

  test('looks like silence, whose offset is named while the device is heard', () => {
    expect(silence(hearing, LISTENING, seconds(10_201)).episodes).toHaveLength(1)
    expect(clockLagMs(hearing, LISTENING, seconds(10_201))).toBe(seconds(7200))
  })

  test('is not named where the device is not heard any more, or its clock is right', () => {
    expect(clockLagMs(hearing, LISTENING, seconds(11_000))).toBe(null)
    expect(clockLagMs(heard([0]), LISTENING, seconds(1))).toBe(null)
    expect(clockLagMs(newHearing(), LISTENING, 0)).toBe(null)
  })
})

test('of temperatures, the newest is known, also where a reading without one is newer, or comes before it', () => {
  const hearing = newHearing()
  const heardAt = (at: number, temperatureCenti: number | null) => {
    hear(hearing, { ...reading(at, 1000), temperatureCenti }, LISTENING)
    return [hearing.temperatureAtMs, hearing.temperatureCenti]
  }
  expect(heardAt(300, null)).toEqual([null, null])
  expect(heardAt(100, 310)).toEqual([seconds(100), 310])
  expect(heardAt(200, 320)).toEqual([seconds(200), 320])
  expect(heardAt(150, 315)).toEqual([seconds(200), 320])
  expect(heardAt(400, null)).toEqual([seconds(200), 320])
  expect(hearing.newestAtMs).toBe(seconds(400))
  expect(heardAt(400, 330)).toEqual([seconds(400), 330])
})

const NOTHING: Silences = { episodes: [], isNews: false }

/** Recorded at a second; arrives then too, or later. */
function reading(recorded: number, received = recorded): ReadingInput {
  return {
    kind: 'reading',
    deviceId: 1,
    atMs: seconds(Math.min(recorded, received)),
    recordedAtMs: seconds(recorded),
    receivedAtMs: seconds(received),
    temperatureCenti: 300,
    battery: null,
    fault: null,
  }
}

function heard(times: readonly number[]): Hearing {
  const hearing = newHearing()
  for (const time of times) hear(hearing, reading(time), LISTENING)
  return hearing
}

/** A device heard at 0 that was found silent. */
function raisedAt(second: number): Hearing {
  const hearing = heard([0])
  expect(silence(hearing, LISTENING, seconds(second)).episodes).toHaveLength(1)
  return hearing
}

function pause(from: number, to: number | null): Pause {
  return { fromMs: seconds(from), toMs: to === null ? null : seconds(to) }
}

/** In order of arrival; some on time, some of a backlog. */
function randomArrivals(random: Random): ReadingInput[] {
  let received = 0
  const arrivals = Array.from({ length: random.integer(1, 12) }, () => {
    received += random.pick([0, 300, 300, 300, random.integer(1, 3000)])
    return reading(received - random.pick([0, 0, 2, random.integer(0, 5000)]), received)
  })
  return arrivals.sort((a, b) => a.receivedAtMs - b.receivedAtMs || a.atMs - b.atMs)
}

type Times = [startedAtMs: number, triggeredAtMs: number, endedAtMs: number | null]

function run(arrivals: readonly ReadingInput[], endMs: number, isTick: () => boolean): Times[] {
  const hearing = newHearing()
  const found = new Map<string, Times>()
  const note = ({ episodes }: Silences): void => {
    for (const { startedAtMs, triggeredAtMs, endedAtMs } of episodes) {
      found.set(`${startedAtMs} ${triggeredAtMs}`, [startedAtMs, triggeredAtMs, endedAtMs])
    }
  }
  for (const arrival of arrivals) {
    if (isTick()) note(silence(hearing, LISTENING, arrival.receivedAtMs - 1))
    note(hear(hearing, arrival, LISTENING))
  }
  note(silence(hearing, LISTENING, endMs))
  return [...found.values()]
}

/** The same, by looking at every second of the clock. */
function plainSilences(arrivals: readonly ReadingInput[], endMs: number): Times[] {
  const found: Times[] = []
  const byArrival = Map.groupBy(arrivals, ({ receivedAtMs }) => receivedAtMs)
  let newestAtMs: number | undefined
  let isSilent = false
  for (let nowMs = 0; nowMs <= endMs; nowMs += 1000) {
    for (const { atMs } of byArrival.get(nowMs) ?? []) {
      newestAtMs = Math.max(newestAtMs ?? -Infinity, atMs)
      const last = found.at(-1)
      if (last === undefined || !isSilent || nowMs - newestAtMs >= seconds(DUE)) continue
      isSilent = false
      last[2] = Math.max(newestAtMs, last[1])
    }
    if (newestAtMs !== undefined && !isSilent && nowMs - newestAtMs >= seconds(DUE)) {
      isSilent = true
      found.push([newestAtMs, newestAtMs + seconds(DUE), null])
    }
  }
  return found
}
