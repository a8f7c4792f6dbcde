/** docs/protocol.md, "Rejected". */
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll, publishPacket } from '../broker/testing.ts'
import {
  collect,
  connectRaw,
  publish,
  type Received,
  type RejectAnswer,
  received,
} from './testing/clients.ts'
import {
  NETWORK_SERVER,
  NORTH_HUB,
  northDevice,
  RIVAL_DEVICE,
  SELF_DEVICE,
  SOUTH_DEVICE,
  UNKNOWN_DEVICE,
} from './testing/fleet.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const STATUS = `v1/hubs/${NORTH_HUB}/status`
const device = northDevice(0)

let service: TestService
let hub: MqttClient
let answers: Received<RejectAnswer[]>[]

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  hub = await service.connect(NORTH_HUB)
  answers = await collect<RejectAnswer[]>(hub, `v1/hubs/${NORTH_HUB}/rejected`)
})
afterEach(closeAll)
afterAll(() => service.close())

function good() {
  return { device, at: nextTime(), temperature: 4 }
}

/** Publishes a message; it is acknowledged, and the rejects are there at the moment of the PUBACK. */
function rejectsOfMessage(topic: string, payload: unknown) {
  return rejectsOf(service, () => publish(hub, topic, payload))
}

describe('malformed: not UTF-8, not JSON, or none of the shapes', () => {
  test.each([
    ['not UTF-8', READINGS, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['nothing', READINGS, ''],
    ['text', READINGS, 'hello'],
    ['cut JSON', READINGS, '{"readings":[{"device":'],
    ['a number', READINGS, '42'],
    ['a string', READINGS, '"24e124136b500000"'],
    ['null', READINGS, 'null'],
    ['an empty object', READINGS, '{}'],
    ['a list that is none', READINGS, '{"readings":"x"}'],
    ['events on the readings topic', READINGS, '{"events":[]}'],
    ['cut JSON on the doors topic', DOORS, '{"events":'],
    ['none of the shapes on the doors topic', DOORS, '{"readings":[]}'],
    ['a status that is not JSON', STATUS, 'online'],
    ['a status without any of its fields', STATUS, '{}'],
    ['NUL bytes', READINGS, Buffer.alloc(100)],
  ])('%s', async (_words, topic, payload) => {
    const rejects = await rejectsOfMessage(topic, payload)
    expect(rejects).toMatchObject([
      { reason: 'malformed', item: null, topic, client: NORTH_HUB, device: null, truncated: false },
    ])
    expect(rejects[0]?.detail).toContain('expected')
    expect(rejects[0]?.payload).toEqual(Buffer.from(payload))
    expect((await received(answers, 1)).json).toEqual([{ reason: 'malformed', detail: rejects[0]?.detail }])
  })
})

describe('invalid: a field breaks its rule, or 0 or more than 1,000 items (then the message whole)', () => {
  test.each([
    ['no readings', { readings: [] }],
    ['an empty array', []],
    ['1,001 readings', { readings: Array.from({ length: 1_001 }, good) }],
    ['1,001 readings in a bare array', Array.from({ length: 1_001 }, good)],
  ])('%s: the message whole', async (_words, payload) => {
    const before = (await readingsOf(service, device)).length
    expect(await rejectsOfMessage(READINGS, payload)).toMatchObject([{ reason: 'invalid', item: null }])
    expect(await readingsOf(service, device)).toHaveLength(before)
  })

  test.each([
    ['a number', 7],
    ['null', null],
    ['an array', [[]]],
    ['an object without any field', {}],
  ])('an element that is %s', async (_words, element) => {
    const rejects = await rejectsOfMessage(READINGS, [good(), element])
    expect(rejects).toMatchObject([{ reason: 'invalid', item: 1 }])
  })

  test('every field that breaks its rule is named, with what was expected and what was found', async () => {
    const bad = { ...good(), temperature: '4.2', humidity: 101 }
    const rejects = await rejectsOfMessage(READINGS, { readings: [good(), good(), good(), bad] })
    expect(rejects).toHaveLength(1)
    for (const words of [
      'readings[3].temperature: expected a number from -100 to 200 (°C), got "4.2"',
      'readings[3].humidity: expected a number from 0 to 100 (%), got 101',
    ]) {
      expect(rejects[0]?.detail).toContain(words)
    }
  })

  test('a status whose state breaks its rule', async () => {
    expect(await rejectsOfMessage(STATUS, { state: 'asleep' })).toMatchObject([
      { reason: 'invalid', topic: STATUS, item: null },
    ])
  })
})

describe('the reasons of a device and of a clock', () => {
  test.each([
    ['unknown_device', { device: UNKNOWN_DEVICE }, 'readings[0].device'],
    ['unknown_device', { device: RIVAL_DEVICE }, 'readings[0].device'],
    ['not_your_device', { device: SOUTH_DEVICE }, 'readings[0].device'],
    ['clock', { at: 12_345 }, 'readings[0].at'],
  ])('%s: %j', async (reason, change, path) => {
    const item = { ...good(), ...change }
    const rejects = await rejectsOfMessage(READINGS, { readings: [item] })
    expect(rejects).toMatchObject([{ reason, item: 0, device: item.device, topic: READINGS }])
    expect(rejects[0]?.detail).toContain(`${path}: expected`)
  })

  test('an unknown device and one of another organization read the same: who asks learns nothing', async () => {
    const details = []
    for (const asked of [UNKNOWN_DEVICE, RIVAL_DEVICE]) {
      const rejects = await rejectsOfMessage(READINGS, { ...good(), device: asked })
      details.push(rejects[0]?.detail.replaceAll(asked, '*'))
    }
    expect(details[0]).toBe(details[1])
  })

  test('on a device topic, another device is not_your_device', async () => {
    const client = await service.connect(`device:${SELF_DEVICE}`)
    const rejects = await rejectsOf(service, () =>
      publish(client, `v1/devices/${SELF_DEVICE}/readings`, good()),
    )
    expect(rejects).toMatchObject([{ reason: 'not_your_device', client: `device:${SELF_DEVICE}` }])
  })
})

describe('items are rows of pipeline.rejected_messages', () => {
  test('a bad reading is rejected alone and the rest is stored', async () => {
    const before = (await readingsOf(service, device)).length
    const rejects = await rejectsOfMessage(READINGS, [good(), { ...good(), battery: 101 }, good()])
    expect(rejects).toMatchObject([{ reason: 'invalid', item: 1, device }])
    expect(await readingsOf(service, device)).toHaveLength(before + 2)
  })

  test('with topic, client and time, and refer to the raw bytes of the message, kept once', async () => {
    const payload = ` {"readings": [{"device": "${UNKNOWN_DEVICE}", "temperature": 1},\n {"device":"${device}"}, 5]} `
    const before = Date.now()
    const rejects = await rejectsOfMessage(READINGS, payload)
    expect(
      rejects.map(({ reason, item }) => [reason, item]).sort((a, b) => Number(a[1]) - Number(b[1])),
    ).toEqual([
      ['unknown_device', 0],
      ['invalid', 1],
      ['invalid', 2],
    ])
    expect(new Set(rejects.map((row) => row.payloadId)).size).toBe(1)
    for (const row of rejects) {
      expect(row).toMatchObject({ topic: READINGS, client: NORTH_HUB, truncated: false })
      expect(row.payload.toString()).toBe(payload)
      expect(row.sizeBytes).toBe(Buffer.byteLength(payload))
      expect(row.receivedAtMs).toBeGreaterThanOrEqual(before)
      expect(row.receivedAtMs).toBeLessThanOrEqual(Date.now())
    }
  })

  test('text that PostgreSQL does not take is kept too: NUL, lone surrogates, control characters', async () => {
    const payload = `{"device":"${device}","temperature":1,"fault":"a\\u0000b\\ud800\\u001b[31m"}`
    const rejects = await rejectsOfMessage(READINGS, payload)
    expect(rejects).toMatchObject([{ reason: 'invalid', device }])
    expect(rejects[0]?.detail).not.toMatch(/\p{Cc}/u)
    const named = await rejectsOfMessage(READINGS, { ...good(), device: 'a\u0000\u001b\ud800' })
    expect(named).toMatchObject([{ reason: 'invalid' }])
    expect(named[0]?.device).not.toMatch(/\p{Cc}/u)
  })

  test('a detail has at most 500 characters, the values in it and device at most 64', async () => {
    const long = 'x'.repeat(5_000)
    const bad = { device: long, at: long, fault: long, temperature: long, humidity: long, battery: long }
    const rejects = await rejectsOfMessage(READINGS, bad)
    expect(rejects[0]?.detail.length).toBeLessThanOrEqual(500)
    expect(rejects[0]?.device?.length).toBeLessThanOrEqual(64)
    expect(rejects[0]?.detail).not.toContain('x'.repeat(65))
    const [answer] = (await received(answers, 1)).json
    expect(answer?.device?.length).toBeLessThanOrEqual(64)
    expect(answer?.at).toMatch(/^x{1,64}$/)
  })

  test("a device's and a network server's rejects are kept under their usernames", async () => {
    const self = await service.connect(`device:${SELF_DEVICE}`)
    const server = await service.connect(`ns:${NETWORK_SERVER}`)
    const rejects = await rejectsOf(service, async () => {
      await publish(self, `v1/devices/${SELF_DEVICE}/readings`, 'x')
      await publish(server, `application/a/device/${device}/event/up`, 'x')
    })
    expect(rejects.map(({ client }) => client)).toEqual([`device:${SELF_DEVICE}`, `ns:${NETWORK_SERVER}`])
  })
})

test.each([
  `v3/'; DROP TABLE public.hubs; --/devices/x/up`,
  'v3/%2f..%2f/devices/../up',
  'v3/\ufeffapp/devices/$' + '{jndi:x}/up',
  `application/__proto__/device/${device}/event/up`,
])('the free levels of a topic are kept to the letter: %s', async (topic) => {
  const server = await service.connect(`ns:${NETWORK_SERVER}`)
  expect(await rejectsOf(service, () => publish(server, topic, 'x'))).toMatchObject([{ topic }])
})

describe('they are answered on v1/hubs/{hub}/rejected', () => {
  test('as reason, detail, device, at and seq', async () => {
    const bad = { device, at: nextTime(), temperature: 300 }
    await publish(hub, READINGS, { boot: 'answers', seq: 12, readings: [good(), bad] })
    expect((await received(answers, 1)).json).toEqual([
      { reason: 'invalid', detail: expect.stringContaining('readings[1]'), device, at: bad.at, seq: 12 },
    ])
  })

  test('device and at are as the hub sent them, whatever the reason', async () => {
    const at = '2025-11-20T13:00:00+01:00'
    const written = (eui: string) => eui.toUpperCase().replace(/..(?=.)/g, '$&:')
    const sent = [
      { device: written(UNKNOWN_DEVICE), at, temperature: 1 },
      { device: written(SOUTH_DEVICE), at, temperature: 1 },
      { device: written(device), at, temperature: 201 },
      { device: written(device), at: '1999-01-01T00:00:00Z', temperature: 1 },
    ]
    await publish(hub, READINGS, sent)
    const { json } = await received(answers, 1)
    const byReason = Object.fromEntries(json.map((item: { reason: string }) => [item.reason, item]))
    expect(byReason).toMatchObject({
      unknown_device: { device: sent[0]?.device, at: sent[0]?.at },
      not_your_device: { device: sent[1]?.device, at: sent[1]?.at },
      invalid: { device: sent[2]?.device, at: sent[2]?.at },
      clock: { device: sent[3]?.device, at: sent[3]?.at },
    })
  })

  test('one message per publish that had any, and none for one that had none', async () => {
    await publish(hub, READINGS, [5, good(), 6, { ...good(), device: UNKNOWN_DEVICE }])
    await publish(hub, READINGS, good())
    await publish(hub, READINGS, [7])
    await received(answers, 2)
    expect(answers.map(({ json }) => json.length)).toEqual([3, 1])
  })

  test('not retained', async () => {
    await publish(hub, READINGS, 'x')
    expect((await received(answers, 1)).retain).toBe(false)
    const later = await service.connect(NORTH_HUB)
    const heard = await collect(later, `v1/hubs/${NORTH_HUB}/rejected`)
    await publish(later, READINGS, 'y')
    expect((await received(heard, 1)).retain).toBe(false)
    expect(heard).toHaveLength(1)
  })
})

test("a poison message is acknowledged: it never blocks the hub's queue", async () => {
  const client = await connectRaw(service, NORTH_HUB)
  const payloads = ['x', JSON.stringify(good()), '[]', JSON.stringify(good()), '{"readings":[null]}']
  const before = (await readingsOf(service, device)).length
  client.send(
    ...payloads.map((payload, index) => publishPacket({ topic: READINGS, payload, messageId: index + 1 })),
  )
  await client.next('puback', payloads.length)
  expect(client.all('puback').map(({ messageId }) => messageId)).toEqual([1, 2, 3, 4, 5])
  expect(await readingsOf(service, device)).toHaveLength(before + 2)
})
