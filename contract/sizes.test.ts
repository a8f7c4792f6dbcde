/** docs/protocol.md, "MQTT": sizes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, connectPacket, openRaw, publishPacket } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { collect, connectRaw, logInFields, publish, received } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SOUTH_HUB } from './testing/fleet.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const KIB = 1024
const KEPT_BYTES = 4 * KIB
const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const device = northDevice(0)

let service: TestService

/** A good reading in a payload of exactly so many bytes. */
function payloadOf(bytes: number): string {
  const head = `{"device":"${device}","at":${nextTime()},"temperature":4,"padding":"`
  return `${head}${'x'.repeat(bytes - head.length - 2)}"}`
}

describe.each([
  ['256 KiB and 4 MiB', {}, 256 * KIB, 4_096 * KIB],
  [
    'as MQTT_MESSAGE_BYTES_MAX and MQTT_FRAME_BYTES_MAX say',
    { MQTT_MESSAGE_BYTES_MAX: '5000', MQTT_FRAME_BYTES_MAX: '9000' },
    5_000,
    9_000,
  ],
])('%s', (_words, env, messageBytesMax, frameBytesMax) => {
  beforeAll(async () => {
    service = await startTestService({ env })
  })
  afterEach(closeAll)
  afterAll(() => service.close())

  test('a message of the greatest size is stored', async () => {
    const before = (await readingsOf(service, device)).length
    const hub = await service.connect(NORTH_HUB)
    await publish(hub, READINGS, payloadOf(messageBytesMax))
    expect(await readingsOf(service, device)).toHaveLength(before + 1)
  })

  test.each([
    ['one byte more', messageBytesMax + 1],
    ['the greatest size that is read past', frameBytesMax],
  ])(
    'of %s: a too_large reject with its topic and first 4 KiB, acknowledged, and the connection stays',
    async (_size, bytes) => {
      const before = (await readingsOf(service, device)).length
      const hub = await service.connect(NORTH_HUB)
      const answers = await collect(hub, `v1/hubs/${NORTH_HUB}/rejected`)
      const payload = payloadOf(bytes)
      const rejects = await rejectsOf(service, () => publish(hub, READINGS, payload))
      expect(rejects).toMatchObject([
        {
          reason: 'too_large',
          item: null,
          topic: READINGS,
          client: NORTH_HUB,
          sizeBytes: bytes,
          truncated: true,
        },
      ])
      expect(rejects[0]?.payload.toString()).toBe(payload.slice(0, KEPT_BYTES))
      expect(rejects[0]?.detail).toContain(String(bytes))
      expect((await received(answers, 1)).json).toMatchObject([{ reason: 'too_large' }])
      await publish(hub, READINGS, payloadOf(200))
      expect(await readingsOf(service, device)).toHaveLength(before + 1)
    },
  )

  test('above that the connection ends without an acknowledgement and is counted', async () => {
    const counted = () => service.metric('frostguard_broker_frames_total{reason="message_too_large"}')
    const before = await counted()
    const rejects = await rejectsOf(service, async () => {
      const hub = await connectRaw(service, NORTH_HUB)
      hub.send(publishPacket({ topic: READINGS, payload: payloadOf(frameBytesMax + 1) }))
      await hub.untilClosed()
      expect(hub.all('puback')).toEqual([])
    })
    expect(rejects).toEqual([])
    expect(await counted()).toBe(before + 1)
  })

  test.each([
    ['a CONNECT', 0x10],
    ['a PUBLISH', 0x32],
  ])(
    'before log-in, %s that is larger than a message ends the connection and is counted',
    async (_words, type) => {
      const counted = () => service.metric('frostguard_broker_frames_total{reason="frame_before_log_in"}')
      const before = await counted()
      const client = await openRaw(service.mqttPort)
      client.sendBytes(
        Buffer.concat([Buffer.from([type]), remainingLength(messageBytesMax + 1), Buffer.alloc(64)]),
      )
      await client.untilClosed()
      expect(client.received).toEqual([])
      expect(await counted()).toBe(before + 1)
    },
  )

  test('a too large message is counted as one item', async () => {
    const counters = [
      'frostguard_door_events_received_total',
      'frostguard_door_events_rejected_total{reason="too_large"}',
    ]
    const values = () => Promise.all(counters.map((name) => service.metric(name)))
    const before = await values()
    const hub = await service.connect(NORTH_HUB)
    await publish(hub, DOORS, payloadOf(messageBytesMax + 1))
    expect(await values()).toEqual(before.map((count) => count + 1))
  })

  test('the messages around a too large one are stored, in one stream of bytes', async () => {
    const before = (await readingsOf(service, device)).length
    const hub = await connectRaw(service, NORTH_HUB)
    const sizes = [200, frameBytesMax, 300, messageBytesMax + 1, messageBytesMax, 200]
    hub.send(
      ...sizes.map((bytes, index) =>
        publishPacket({ topic: READINGS, payload: payloadOf(bytes), messageId: index + 1 }),
      ),
    )
    await hub.next('puback', sizes.length)
    expect(hub.all('puback').map(({ messageId }) => messageId)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await readingsOf(service, device)).toHaveLength(before + 4)
  })

  test('with QoS 2 it is acknowledged by PUBREC, with QoS 0 it is kept too', async () => {
    const hub = await connectRaw(service, NORTH_HUB)
    const payload = payloadOf(messageBytesMax + 1)
    const rejects = await rejectsOf(service, async () => {
      hub.send(publishPacket({ topic: READINGS, payload, qos: 0 }))
      hub.send(publishPacket({ topic: READINGS, payload, qos: 2, messageId: 3 }))
      await hub.next('pubrec')
      await until('both are kept', async () => {
        const [row] = await service.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM pipeline.rejected_payloads WHERE payload = $1 AND size_bytes = $2`,
          [Buffer.from(payload.slice(0, KEPT_BYTES)), payload.length],
        )
        return row?.n === 2
      })
    })
    expect(rejects.map(({ reason }) => reason)).toEqual(['too_large', 'too_large'])
  })

  test('to a topic of somebody else it ends the connection', async () => {
    const hub = await connectRaw(service, NORTH_HUB)
    hub.send(
      publishPacket({ topic: `v1/hubs/${SOUTH_HUB}/readings`, payload: payloadOf(messageBytesMax + 1) }),
    )
    await hub.untilClosed()
    expect(hub.all('puback')).toEqual([])
  })
})

describe('before log-in', () => {
  beforeAll(async () => {
    service = await startTestService()
  })
  afterEach(closeAll)
  afterAll(() => service.close())

  test('what comes right behind a CONNECT that is refused is not taken', async () => {
    const before = await service.metric('frostguard_messages_received_total')
    const client = await openRaw(service.mqttPort)
    client.send(
      connectPacket({ ...logInFields(service, NORTH_HUB), password: Buffer.from('wrong') }),
      publishPacket({ topic: READINGS, payload: payloadOf(200) }),
    )
    expect((await client.next('connack')).returnCode).toBe(4)
    await client.untilClosed()
    expect(client.all('puback')).toEqual([])
    expect(await service.metric('frostguard_messages_received_total')).toBe(before)
  })

  test('what comes right behind a CONNECT that is accepted is taken', async () => {
    const before = (await readingsOf(service, device)).length
    const client = await openRaw(service.mqttPort)
    client.send(
      connectPacket(logInFields(service, NORTH_HUB)),
      publishPacket({ topic: READINGS, payload: payloadOf(200) }),
    )
    await client.next('puback')
    expect(await readingsOf(service, device)).toHaveLength(before + 1)
  })

  test('a PUBLISH without a CONNECT ends the connection', async () => {
    const client = await openRaw(service.mqttPort)
    client.send(publishPacket({ topic: READINGS, payload: payloadOf(200) }))
    await client.untilClosed()
    expect(client.received).toEqual([])
  })
})

/** The variable byte encoding of a remaining length [MQTT-2.2.3]. */
function remainingLength(length: number): Buffer {
  const bytes: number[] = []
  for (let left = length; left > 0 || bytes.length === 0; left = Math.floor(left / 128)) {
    bytes.push((left % 128) + (left >= 128 ? 128 : 0))
  }
  return Buffer.from(bytes)
}
