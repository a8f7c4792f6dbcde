import { describe, expect, test } from 'vitest'
import { seconds, trackOf, versionOf } from '../testing/words.ts'
import { doorEpisodes, doorHorizon, doorTimeline } from './doors.ts'
import type { Condition, DoorInput } from './types.ts'

const CONDITION: Condition = { type: 'door_open', forMs: seconds(300) }
const RULE = trackOf(CONDITION)
const HUB = { hubQuietSinceMs: null, hubConnected: true, beforeMs: -Infinity } as const

describe('a timeline', () => {
  test('begins with the first open and ends with the next closed; repeats change nothing', () => {
    const events = [closed(5), open(10), open(20), closed(30), closed(40), open(50)]
    expect(doorTimeline(events).openings).toMatchObject([
      { openedAtMs: seconds(10), closedAtMs: seconds(30) },
      { openedAtMs: seconds(50), closedAtMs: null },
    ])
  })

  test('takes its events in any order, and open before closed at equal times', () => {
    expect(doorTimeline([closed(30), open(30), open(10)]).openings).toMatchObject([
      { openedAtMs: seconds(10), closedAtMs: seconds(30) },
    ])
    expect(doorTimeline([closed(10), open(10)]).isOpenAt(seconds(11))).toBe(false)
  })

  test('is closed where nothing is known, open from the very instant, closed at the very instant', () => {
    const { isOpenAt } = doorTimeline([open(10), closed(30), open(50)])
    const states = [9.999, 10, 29.999, 30, 49.999, 50, 1e9].map((second) => isOpenAt(seconds(second)))
    expect(states).toEqual([false, true, true, false, false, true, true])
    expect(doorTimeline([]).isOpenAt(0)).toBe(false)
  })

  test('of several doors is open while any of them is', () => {
    const timeline = doorTimeline([
      open(10, 1),
      open(20, 2),
      closed(30, 1),
      closed(40, 2),
      open(40, 1),
      open(60, 2),
    ])
    expect(timeline.isOpenAt(seconds(35))).toBe(true)
    expect(timeline.openSinceMs(seconds(35))).toBe(seconds(10))
    expect(timeline.openSinceMs(seconds(1000))).toBe(seconds(10))
    expect(timeline.openSinceMs(seconds(9))).toBe(null)
  })
})

describe('an open door', () => {
  test('S05: exactly 300 s no, 400 s yes, 290 s no; a repeated open changes nothing', () => {
    const events = [open(0), closed(300), open(1000), open(1200), closed(1400), open(2000), closed(2290)]
    expect(episodes(events, 2290)).toMatchObject([
      {
        startedAtMs: seconds(1000),
        triggeredAtMs: seconds(1300),
        endedAtMs: seconds(1400),
        resolution: 'recovered',
      },
    ])
    // Its hub has been quiet since 1202: without the close it is raised by the clock, at 1330.
    const before = events.filter(({ atMs }) => atMs < seconds(1400))
    const clock = (now: number) =>
      doorHorizon({
        ...HUB,
        nowMs: seconds(now),
        hubNewestEventMs: seconds(1200),
        hubQuietSinceMs: seconds(1202),
      })
    expect(episodes(before, clock(1329.999) / 1000)).toEqual([])
    expect(episodes(before, clock(1330) / 1000)).toMatchObject([
      { startedAtMs: seconds(1000), triggeredAtMs: seconds(1300), endedAtMs: null, newestIsGood: false },
    ])
  })

  test('says the same while it is open, whatever the clock says', () => {
    expect(episodes([open(0)], 400)).toEqual(episodes([open(0)], 4000))
  })

  test('is known by its close at once', () => {
    expect(episodes([open(0), closed(301)], -Infinity)).toHaveLength(1)
  })

  test('is that of one device: two doors open by turns are not one open door', () => {
    expect(episodes([open(0, 1), open(200, 2), closed(250, 1), closed(450, 2)], 1000)).toEqual([])
  })

  test('is judged by the horizon of the hub of its own device', () => {
    const timeline = doorTimeline([open(0, 1), open(0, 2)])
    const judgedToMs = (deviceId: number) => (deviceId === 1 ? seconds(330) : seconds(329))
    expect(doorEpisodes(timeline, RULE, { judgedToMs }).map(({ deviceId }) => deviceId)).toEqual([1])
  })

  test('under the first rule of its kind is judged by when its opening arrived', () => {
    const triggers = { by: 'received', fromMs: seconds(5000) } as const
    const rule = trackOf(CONDITION, [versionOf(CONDITION, { fromMs: -Infinity, triggers })])
    const judged = (received: number) =>
      doorEpisodes(doorTimeline([{ ...open(0), receivedAtMs: seconds(received) }, closed(400)]), rule, {
        judgedToMs: () => seconds(6000),
      })
    expect(judged(5000)).toMatchObject([{ triggeredAtMs: seconds(300) }])
    expect(judged(4999)).toEqual([])
  })
})

describe('a horizon', () => {
  test('is the newest event of the hub', () => {
    expect(
      doorHorizon({
        ...HUB,
        nowMs: seconds(100),
        hubNewestEventMs: seconds(90),
        hubQuietSinceMs: seconds(95),
      }),
    ).toBe(seconds(90))
  })

  test('is the clock once a connected hub has been quiet for 60 s', () => {
    const quietFor = (second: number, hubConnected = true) =>
      doorHorizon({
        ...HUB,
        hubConnected,
        nowMs: seconds(1000),
        hubNewestEventMs: seconds(90),
        hubQuietSinceMs: seconds(1000 - second),
      })
    expect(quietFor(59.999)).toBe(seconds(90))
    expect(quietFor(60)).toBe(seconds(1000))
    expect(quietFor(60, false)).toBe(seconds(90))
  })

  test('of a connected hub that has never said anything is the clock', () => {
    expect(doorHorizon({ ...HUB, nowMs: 5, hubNewestEventMs: null, hubQuietSinceMs: null })).toBe(5)
  })

  test('never goes back: what a quiet hub left open stays raised while its next message arrives', () => {
    const judged = {
      ...HUB,
      nowMs: seconds(1331),
      hubNewestEventMs: seconds(1200),
      hubQuietSinceMs: seconds(1331),
    }
    expect(doorHorizon({ ...judged, beforeMs: seconds(1330) })).toBe(seconds(1330))
  })

  test('lets a backlog that comes oldest first raise nothing that its end disproves', () => {
    const backlog = [open(0), closed(100), open(200), closed(450), open(460), closed(700)]
    for (let count = 1; count <= backlog.length; count++) {
      const arrived = backlog.slice(0, count)
      const horizonMs = doorHorizon({
        ...HUB,
        nowMs: seconds(20_000 + count),
        hubNewestEventMs: (arrived.at(-1) as DoorInput).atMs,
        hubQuietSinceMs: seconds(20_000 + count - 1),
      })
      expect(episodes(arrived, horizonMs / 1000), `${count} arrived`).toEqual([])
    }
  })
})

function open(second: number, deviceId = 1): DoorInput {
  return eventAt(second, deviceId, true)
}

function closed(second: number, deviceId = 1): DoorInput {
  return eventAt(second, deviceId, false)
}

function eventAt(second: number, deviceId: number, isOpen: boolean): DoorInput {
  const atMs = seconds(second)
  return { kind: 'door', deviceId, atMs, recordedAtMs: atMs, receivedAtMs: atMs, isOpen }
}

function episodes(events: readonly DoorInput[], judgedTo: number) {
  return doorEpisodes(doorTimeline(events), RULE, { judgedToMs: () => seconds(judgedTo) })
}
