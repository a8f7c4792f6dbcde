/** docs/protocol.md, "Doors message". */
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { publish } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SELF_DEVICE } from './testing/fleet.ts'
import { doorEventsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'

const TOPIC = `v1/hubs/${NORTH_HUB}/doors`
const START = Date.UTC(2025, 5, 1)

let service: TestService
let hub: MqttClient
let devices = 0
/** A door that no other test uses. */
let device: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  hub = await service.connect(NORTH_HUB)
  device = northDevice(devices++)
})
afterEach(closeAll)
afterAll(() => service.close())

/** An event of this test's door, in seconds after the start. */
function event(state: 'open' | 'closed', seconds: number) {
  return { device, at: START + seconds * 1000, state }
}
const open = (seconds: number) => event('open', seconds)
const closed = (seconds: number) => event('closed', seconds)

/** Publishes each message for itself, and returns seconds, state and duration of what is stored then. */
async function stored(...messages: unknown[]) {
  for (const message of messages) await publish(hub, TOPIC, message)
  const rows = await doorEventsOf(service, device)
  return rows.map(({ atMs, state, durationSeconds }) => [(atMs - START) / 1000, state, durationSeconds])
}

describe('shapes', () => {
  test('a doors message, as documented: at the moment of the PUBACK it is committed', async () => {
    await publish(hub, TOPIC, { events: [{ device, at: 1763632500000, state: 'open' }] })
    expect(await doorEventsOf(service, device)).toEqual([
      { atMs: 1763632500000, state: 'open', durationSeconds: null, source: 'hub' },
    ])
  })

  test('a bare array or a single event is accepted', async () => {
    expect(await stored([open(0), closed(5)], open(10))).toEqual([
      [0, 'open', null],
      [5, 'closed', 5],
      [10, 'open', null],
    ])
  })

  test('1 to 1,000 events', async () => {
    const events = Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? open(n) : closed(n)))
    expect(await stored({ events })).toHaveLength(1_000)
    for (const bad of [[], [...events, open(2_000)]]) {
      const rejects = await rejectsOf(service, () => publish(hub, TOPIC, { events: bad }))
      expect(rejects).toMatchObject([{ reason: 'invalid', item: null }])
    }
    expect(await stored()).toHaveLength(1_000)
  })

  test('one event of a device itself, without device', async () => {
    const client = await service.connect(`device:${SELF_DEVICE}`)
    await publish(client, `v1/devices/${SELF_DEVICE}/doors`, { at: START, state: 'closed' })
    expect(await doorEventsOf(service, SELF_DEVICE)).toMatchObject([{ state: 'closed', source: 'device' }])
  })
})

describe('same rules as readings', () => {
  test.each([
    ['another state', { state: 'ajar' }, 'invalid', 'state'],
    ['no state', { state: null }, 'invalid', 'state'],
    ['a state in capitals', { state: 'OPEN' }, 'invalid', 'state'],
    ['no device', { device: null }, 'invalid', 'device'],
    ['a time without offset', { at: '2025-11-20T12:00:00' }, 'invalid', 'at'],
    ['seconds for milliseconds', { at: 1_763_632_500 }, 'clock', 'at'],
    ['a device that nobody knows', { device: 'ffffffffffffffff' }, 'unknown_device', 'device'],
  ])('%s rejects that event alone', async (_words, change, reason, named) => {
    const rejects = await rejectsOf(service, () =>
      publish(hub, TOPIC, { events: [open(0), { ...open(1), ...change }, closed(2)] }),
    )
    expect(rejects).toMatchObject([{ reason, item: 1, topic: TOPIC, client: NORTH_HUB }])
    expect(rejects[0]?.detail).toContain(`events[1].${named}: expected`)
    expect(await stored()).toEqual([
      [0, 'open', null],
      [2, 'closed', 2],
    ])
  })

  test('at absent: the time of arrival, and source says so', async () => {
    await publish(hub, TOPIC, { device, state: 'open' })
    expect(await doorEventsOf(service, device)).toMatchObject([{ source: 'arrival' }])
  })
})

describe('a duplicate has the same device, at and state', () => {
  test('it is stored once and counted', async () => {
    const counted = await service.metric('frostguard_door_events_duplicate_total')
    expect(await stored(open(0), open(0), [closed(3), closed(3)], closed(3))).toEqual([
      [0, 'open', null],
      [3, 'closed', 3],
    ])
    expect(await service.metric('frostguard_door_events_duplicate_total')).toBe(counted + 3)
  })

  test('the same device and at with the other state is none', async () => {
    expect(await stored(open(0), closed(0))).toEqual([
      [0, 'open', null],
      [0, 'closed', 0],
    ])
  })
})

describe('duration_seconds', () => {
  test('is set on a close when it is stored, from the latest open known before it', async () => {
    const rows = await stored(open(0), closed(12.5), open(100), closed(160))
    expect(rows).toEqual([
      [0, 'open', null],
      [12.5, 'closed', 12.5],
      [100, 'open', null],
      [160, 'closed', 60],
    ])
  })

  test('is counted from the first of repeated opens', async () => {
    expect((await stored(open(0), open(10), open(20), closed(30))).at(-1)).toEqual([30, 'closed', 30])
  })

  test('is null if no open is known', async () => {
    expect(await stored(closed(5))).toEqual([[5, 'closed', null]])
  })

  test('is null for a repeated close: the open before it has ended', async () => {
    expect((await stored(open(0), closed(5), closed(9))).at(-1)).toEqual([9, 'closed', null])
  })

  test('is set within one message and out of order', async () => {
    expect(await stored([closed(7), open(2)])).toEqual([
      [2, 'open', null],
      [7, 'closed', 5],
    ])
  })

  test('is that of the door itself, not of its neighbour', async () => {
    const neighbour = northDevice(devices++)
    const message = [open(0), { ...open(3), device: neighbour }, closed(10)]
    expect(await stored(message)).toEqual([
      [0, 'open', null],
      [10, 'closed', 10],
    ])
  })
})

describe('duration_seconds is corrected when an earlier event arrives late', () => {
  test('a late open', async () => {
    expect(await stored(closed(30), open(10))).toEqual([
      [10, 'open', null],
      [30, 'closed', 20],
    ])
  })

  test('a late open before the known one', async () => {
    expect((await stored(open(10), closed(30), open(4))).at(-1)).toEqual([30, 'closed', 26])
  })

  test('a late close between open and close', async () => {
    expect(await stored(open(0), closed(30), closed(10))).toEqual([
      [0, 'open', null],
      [10, 'closed', 10],
      [30, 'closed', null],
    ])
  })

  test('a late close and open in between', async () => {
    expect(await stored(open(0), closed(30), [closed(10), open(20)])).toEqual([
      [0, 'open', null],
      [10, 'closed', 10],
      [20, 'open', null],
      [30, 'closed', 10],
    ])
  })

  test('a backlog that arrives in reverse', async () => {
    const history = [open(0), closed(5), open(10), open(12), closed(20), closed(25), open(30), closed(31)]
    expect(await stored(...[...history].reverse())).toEqual([
      [0, 'open', null],
      [5, 'closed', 5],
      [10, 'open', null],
      [12, 'open', null],
      [20, 'closed', 10],
      [25, 'closed', null],
      [30, 'open', null],
      [31, 'closed', 1],
    ])
  })
})
