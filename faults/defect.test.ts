/** A defect of ours: code that throws on one message. It is set aside, and nobody else notices. */
import type { MqttClient } from 'mqtt'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { publish } from '../contract/testing/clients.ts'
import { NORTH_HUB, NORTH_HUB_2, northDevice, UNKNOWN_DEVICE } from '../contract/testing/fleet.ts'
import { readingsOf, rejectsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { ONLY_PROGRESS, runReplay } from '../ingest/replay/testing/run-replay.ts'
import { untilSettled } from './testing/settled.ts'

const TOPIC = `v1/hubs/${NORTH_HUB}/readings`
const defect = vi.hoisted(() => ({
  in: 'nothing' as 'nothing' | 'decode' | 'decode again' | 'look up' | 'place' | 'topics',
  word: 'defective',
}))

/** Throws for a message with the word in it, which a field that is ignored carries past every check. */
function throwFor(stage: typeof defect.in, payload: Uint8Array): void {
  if (defect.in === stage && Buffer.from(payload).includes(defect.word))
    throw new TypeError(`a defect in ${stage}`)
}

vi.mock('../ingest/decode/readings.ts', async (original) => {
  const real = await original<typeof import('../ingest/decode/readings.ts')>()
  const decoded = new Set<string>()
  const decodeReadings: typeof real.decodeReadings = (payload, context) => {
    throwFor('decode', payload)
    if (decoded.has(payload.toString())) throwFor('decode again', payload)
    decoded.add(payload.toString())
    return real.decodeReadings(payload, context)
  }
  return { ...real, decodeReadings }
})

/** As a version does that knows no doors. */
vi.mock('../broker/topics.ts', async (original) => {
  const real = await original<typeof import('../broker/topics.ts')>()
  const publishRoute: typeof real.publishRoute = (principal, topic) =>
    defect.in === 'topics' && topic.endsWith('/doors') ? undefined : real.publishRoute(principal, topic)
  return { ...real, publishRoute }
})

vi.mock('../ingest/resolve.ts', async (original) => {
  const real = await original<typeof import('../ingest/resolve.ts')>()
  const placeItems: typeof real.placeItems = (message, items, context, rowOf) => {
    // The first item of a message is placed, the second one fails.
    const first = real.placeItems(message, items.slice(0, 1), context, rowOf)
    if (items.length > 1) throwFor('place', message.arrival.payload)
    return [...first, ...real.placeItems(message, items.slice(1), context, rowOf)]
  }
  const doubtfulDevices: typeof real.doubtfulDevices = (items, context) => {
    const name = context.describe(0).device ?? ''
    throwFor('look up', Buffer.from(name.endsWith('fff') ? defect.word : ''))
    return real.doubtfulDevices(items, context)
  }
  return { ...real, placeItems, doubtfulDevices }
})

let service: TestService
let hub: MqttClient
let devices = 0
/** A device that no other test uses. */
let device: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  defect.in = 'nothing'
  device = northDevice(devices++)
  hub = await service.connect(NORTH_HUB)
})
afterEach(async () => {
  defect.in = 'nothing'
  expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
  expect(await service.metric('frostguard_door_events_imbalance')).toBe(0)
  expect(await service.metric('frostguard_readings_in_flight')).toBe(0)
  await closeAll()
})
afterAll(() => service.close())

const reading = () => ({ device, at: nextTime(), temperature: 4 })
const poison = (...readings: unknown[]) => ({ readings, note: defect.word })

test.each([
  ['decode', () => poison(reading(), reading()), [null]],
  ['place', () => poison(reading(), reading(), { ...reading(), battery: 101 }), [0, 1, 2]],
  ['look up', () => [{ ...reading(), device: UNKNOWN_DEVICE }], [0]],
] as const)(
  'a throw in %s sets its message aside, acknowledged; its neighbours are stored',
  async (stage, message, items) => {
    const defects = () => service.metric('frostguard_message_defects_total')
    const before = await defects()
    defect.in = stage
    const other = await service.connect(NORTH_HUB_2)
    const payload = message()
    const rejects = await rejectsOf(service, async () => {
      await Promise.all([
        publish(hub, TOPIC, reading()),
        publish(hub, TOPIC, payload),
        publish(hub, TOPIC, reading()),
        publish(other, `v1/hubs/${NORTH_HUB_2}/readings`, reading()),
      ])
    })
    expect(rejects.map(({ item }) => item).sort()).toEqual(items)
    expect(rejects.map(({ reason }) => reason)).toEqual(items.map(() => 'invalid'))
    expect(JSON.parse(rejects[0]?.payload.toString() ?? '')).toEqual(payload)
    const details = rejects.map(({ detail }) => detail).filter((detail) => !detail.includes('battery'))
    expect(new Set(details)).toEqual(
      new Set([expect.stringContaining('a defect of this version of FrostGuard')]),
    )
    expect(await readingsOf(service, device)).toHaveLength(3)
    expect(hub.connected).toBe(true)
    expect(await defects()).toBe(before + 1)
    // The error itself is for us, not for the hub.
    expect(details.join()).not.toContain(`a defect in ${stage}`)
    expect(JSON.stringify(service.logged)).toContain(`a defect in ${stage}`)
  },
)

test('what was set aside is stored by a replay once the defect is mended', async () => {
  defect.in = 'decode'
  await publish(hub, TOPIC, poison(reading(), reading()))
  expect(await readingsOf(service, device)).toEqual([])
  const replayed = await runReplay(['--client', NORTH_HUB], { DATABASE_URL: service.url })
  expect(replayed).toMatchObject({ code: 0, stderr: expect.stringMatching(ONLY_PROGRESS) })
  expect(await readingsOf(service, device)).toHaveLength(2)
})

describe('out of the spool', () => {
  beforeAll(async () => {
    await service.stop()
    await service.start({ INGEST_HOLD_MS: '300' })
  })

  /** Has messages go to the spool, then `change` happen, and returns what is rejected while it drains. */
  async function drainAfter(messages: () => Promise<void>, change: () => void) {
    const locker = new Client({ connectionString: service.url })
    await locker.connect()
    await locker.query(
      'BEGIN; LOCK TABLE public.sensor_readings, public.door_events IN ACCESS EXCLUSIVE MODE',
    )
    await messages()
    change()
    const rejects = await rejectsOf(service, async () => {
      await locker.query('ROLLBACK')
      await untilSettled(service)
    })
    await locker.end()
    return rejects
  }

  test('one that throws only there does not hold up what is behind it', async () => {
    const spooled = () => service.metric('frostguard_readings_spooled_total')
    const before = await spooled()
    defect.in = 'decode again'
    const rejects = await drainAfter(
      async () => {
        for (const message of [reading(), poison(reading(), reading()), reading()])
          await publish(hub, TOPIC, message)
        expect(await spooled()).toBe(before + 4)
      },
      () => {},
    )
    expect(rejects).toMatchObject([{ reason: 'invalid', item: null }])
    expect(await readingsOf(service, device)).toHaveLength(2)
  })

  test('nor does one on a topic that this version does not know', async () => {
    const doors = `v1/hubs/${NORTH_HUB}/doors`
    const event = () => ({ device, at: nextTime(), state: 'open' })
    const rejects = await drainAfter(
      async () => {
        await publish(hub, TOPIC, reading())
        await publish(hub, doors, [event(), event()])
        await publish(hub, TOPIC, reading())
      },
      () => {
        defect.in = 'topics'
      },
    )
    expect(rejects).toMatchObject([{ reason: 'invalid', item: null, topic: doors }])
    expect(JSON.parse(rejects[0]?.payload.toString() ?? '')).toHaveLength(2)
    expect(await readingsOf(service, device)).toHaveLength(2)
    expect((await service.get('/readyz')).status).toBe(200)
  })
})
