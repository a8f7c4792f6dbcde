/** docs/protocol.md, "MQTT": versions, identity and sessions. */
import { generate } from 'mqtt-packet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, connectPacket, openRaw } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { collect, connectRaw, logInFields, publish, received, returnCodeOf } from './testing/clients.ts'
import { NETWORK_SERVER, NORTH_HUB, northDevice, SELF_DEVICE, SOUTH_HUB } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

const REJECTED = `v1/hubs/${NORTH_HUB}/rejected`

describe('MQTT 3.1 and 3.1.1 over TCP', () => {
  test.each([
    ['3.1', { protocolId: 'MQIsdp', protocolVersion: 3 } as const],
    ['3.1.1', { protocolId: 'MQTT', protocolVersion: 4 } as const],
  ])('a hub connects and publishes with MQTT %s', async (_version, protocol) => {
    const client = await service.connect(NORTH_HUB, protocol)
    const at = nextTime()
    await publish(client, `v1/hubs/${NORTH_HUB}/readings`, { device: northDevice(0), at, temperature: 4 })
    expect((await readingsOf(service, northDevice(0))).map((row) => row.atMs)).toContain(at)
  })

  test('a client of MQTT 5 is refused with return code 1', async () => {
    const { returnCode, client } = await returnCodeOf(service, {
      ...logInFields(service, NORTH_HUB),
      protocolVersion: 5,
    })
    expect(returnCode).toBe(1)
    await client.untilClosed()
  })

  test('a client library that speaks MQTT 5 learns that it is refused', async () => {
    await expect(service.connect(NORTH_HUB, { protocolVersion: 5 })).rejects.toThrow()
  })
})

describe('identity', () => {
  test.each([
    ['a hub: username = its key, password = its secret', NORTH_HUB],
    ['a device with its own network uses device:<DevEUI>', `device:${SELF_DEVICE}`],
    ['a LoRaWAN network server uses ns:<key>', `ns:${NETWORK_SERVER}`],
    ['an operator uses operator:<organization slug>', 'operator:acme'],
  ])('%s', async (_words, username) => {
    const { returnCode } = await returnCodeOf(service, logInFields(service, username))
    expect(returnCode).toBe(0)
  })

  test('the DevEUI of a username may be written in any case and with separators', async () => {
    const { password } = logInFields(service, `device:${SELF_DEVICE}`)
    const written = SELF_DEVICE.toUpperCase().replace(/..(?=.)/g, '$&-')
    expect((await returnCodeOf(service, { username: `device:${written}`, password })).returnCode).toBe(0)
  })
})

describe('a refused log-in gets CONNACK 4 or 5, then the connection closes', () => {
  test.each([
    ['a wrong secret', () => ({ username: NORTH_HUB, password: Buffer.from('wrong') }), 4],
    ['an empty secret', () => ({ username: NORTH_HUB, password: Buffer.alloc(0) }), 4],
    ['no secret', () => ({ username: NORTH_HUB, password: undefined }), 4],
    ["another hub's secret", () => ({ ...logInFields(service, SOUTH_HUB), username: NORTH_HUB }), 4],
    ['a hub that nobody knows', () => ({ ...logInFields(service, NORTH_HUB), username: 'hub-nowhere' }), 4],
    ['the key in capitals', () => ({ ...logInFields(service, NORTH_HUB), username: 'HUB-NORTH' }), 4],
    [
      'a device that has no credential of its own',
      () => ({ ...logInFields(service, `device:${SELF_DEVICE}`), username: `device:${northDevice(0)}` }),
      4,
    ],
    [
      'a hub that calls itself a network server',
      () => ({ ...logInFields(service, NORTH_HUB), username: `ns:${NORTH_HUB}` }),
      4,
    ],
    ['an anonymous client', () => ({ username: undefined, password: undefined }), 5],
  ])('%s', async (_words, fields, expected) => {
    const { returnCode, client } = await returnCodeOf(service, fields())
    expect(returnCode).toBe(expected)
    await client.untilClosed()
  })

  test('it is counted by its reason', async () => {
    const refused = (reason: string) =>
      service.metric(`frostguard_broker_log_ins_refused_total{reason="${reason}"}`)
    const before = [await refused('bad_credentials'), await refused('not_authorized')]
    await returnCodeOf(service, { username: NORTH_HUB, password: Buffer.from('wrong') })
    await returnCodeOf(service, { username: undefined, password: undefined })
    const after = [await refused('bad_credentials'), await refused('not_authorized')]
    expect(after).toEqual(before.map((count) => count + 1))
  })
})

describe('sessions', () => {
  test('the client id may be empty with clean session on', async () => {
    const fields = { ...logInFields(service, NORTH_HUB), clientId: '', clean: true }
    expect((await returnCodeOf(service, fields)).returnCode).toBe(0)
  })

  test('the client id may be empty only with clean session on', async () => {
    const client = await openRaw(service.mqttPort)
    const bytes = generate(connectPacket({ ...logInFields(service, NORTH_HUB), clientId: 'x', clean: false }))
    // mqtt-packet does not write such a CONNECT: take the one character of the client id out of a good one.
    const idAt = bytes.indexOf(Buffer.from([0, 1, 'x'.charCodeAt(0)]))
    const length = (bytes[1] ?? 0) - 1
    client.sendBytes(
      Buffer.concat([
        Buffer.from([bytes[0] ?? 0, length]),
        bytes.subarray(2, idAt),
        Buffer.from([0, 0]),
        bytes.subarray(idAt + 3),
      ]),
    )
    expect((await client.next('connack')).returnCode).toBe(2)
    await client.untilClosed()
  })

  test('two hubs with the same client id are two sessions: both stay connected', async () => {
    const north = await connectRaw(service, NORTH_HUB, { clientId: 'same' })
    const south = await connectRaw(service, SOUTH_HUB, { clientId: 'same' })
    north.send({ cmd: 'pingreq' })
    south.send({ cmd: 'pingreq' })
    await north.next('pingresp')
    await south.next('pingresp')
    expect([north.closed, south.closed]).toEqual([false, false])
  })

  test('the same hub with the same client id is one session: the newer connection ends the older one', async () => {
    const older = await connectRaw(service, NORTH_HUB, { clientId: 'one' })
    const newer = await connectRaw(service, NORTH_HUB, { clientId: 'one' })
    await older.untilClosed()
    newer.send({ cmd: 'pingreq' })
    await newer.next('pingresp')
  })

  test('the same hub with two client ids has two sessions', async () => {
    const first = await connectRaw(service, NORTH_HUB, { clientId: 'first' })
    const second = await connectRaw(service, NORTH_HUB, { clientId: 'second' })
    first.send({ cmd: 'pingreq' })
    await first.next('pingresp')
    expect(second.closed).toBe(false)
  })

  test('a kept session is found again by its own user only, with what came in meanwhile', async () => {
    const kept = { clean: false, clientId: 'kept' }
    const before = await service.connect(NORTH_HUB, kept)
    await collect(before, REJECTED)
    await before.endAsync()

    const publisher = await service.connect(NORTH_HUB, { clientId: 'publisher' })
    await publish(publisher, `v1/hubs/${NORTH_HUB}/readings`, 'not JSON')

    const stranger = await openRaw(service.mqttPort)
    stranger.send(connectPacket({ ...logInFields(service, SOUTH_HUB), ...kept }))
    expect((await stranger.next('connack')).sessionPresent).toBe(false)

    const again = await openRaw(service.mqttPort)
    again.send(connectPacket({ ...logInFields(service, NORTH_HUB), ...kept }))
    expect((await again.next('connack')).sessionPresent).toBe(true)
    const message = await again.next('publish')
    expect(message.topic).toBe(REJECTED)
    expect(JSON.parse(message.payload.toString())).toMatchObject([{ reason: 'malformed' }])
    expect(stranger.all('publish')).toEqual([])
  })

  test('with clean session on nothing is kept', async () => {
    const first = await service.connect(NORTH_HUB, { clientId: 'clean' })
    await collect(first, REJECTED)
    await first.endAsync()
    const again = await openRaw(service.mqttPort)
    again.send(connectPacket({ ...logInFields(service, NORTH_HUB), clientId: 'clean', clean: false }))
    expect((await again.next('connack')).sessionPresent).toBe(false)
  })
})

describe('names and strings are well-formed UTF-8 without control characters', () => {
  test.each([
    ['a client id', { clientId: 'a\u0007b' }, 2],
    ['a username', { username: 'hub\u0000north' }, 4],
  ])('%s with a control character is refused', async (_words, fields, expected) => {
    const { returnCode, client } = await returnCodeOf(service, {
      ...logInFields(service, NORTH_HUB),
      ...fields,
    })
    expect(returnCode).toBe(expected)
    await client.untilClosed()
  })

  test.each([
    ['is not UTF-8', Buffer.from([0xff, 0xfe])],
    ['has a control character', Buffer.from([0x01, 0x02])],
  ])('a publish to a topic that %s ends the connection, and is counted', async (_words, ending) => {
    const before = await service.metric('frostguard_broker_bad_strings_total')
    const client = await connectRaw(service, NORTH_HUB)
    const topic = Buffer.concat([Buffer.from('v1/hubs/hub-north/'), ending])
    client.sendBytes(
      Buffer.concat([
        Buffer.from([0x32, 2 + topic.length + 2 + 2, 0, topic.length]),
        topic,
        Buffer.from([0, 1]),
        Buffer.from('{}'),
      ]),
    )
    await client.untilClosed()
    expect(client.all('puback')).toEqual([])
    await until(
      'it is counted',
      async () => (await service.metric('frostguard_broker_bad_strings_total')) > before,
    )
  })
})

test('QoS 0 is accepted: such a message goes the same way', async () => {
  const client = await service.connect(NORTH_HUB)
  const at = nextTime()
  const reading = { device: northDevice(1), at, temperature: 4 }
  await client.publishAsync(`v1/hubs/${NORTH_HUB}/readings`, JSON.stringify(reading), { qos: 0 })
  await until('the reading is stored', async () => (await readingsOf(service, northDevice(1))).length === 1)
})

test('QoS 2 has the same promise at PUBREC', async () => {
  const client = await connectRaw(service, NORTH_HUB)
  const reading = { device: northDevice(2), at: nextTime(), temperature: 4 }
  client.send({
    cmd: 'publish',
    topic: `v1/hubs/${NORTH_HUB}/readings`,
    payload: JSON.stringify(reading),
    qos: 2,
    messageId: 7,
    dup: false,
    retain: false,
  })
  await client.next('pubrec')
  expect(await readingsOf(service, northDevice(2))).toHaveLength(1)
  client.send({ cmd: 'pubrel', messageId: 7 })
  expect((await client.next('pubcomp')).messageId).toBe(7)
})

test('a receipt that is waited for shows that subscribing works for every MQTT version', async () => {
  const client = await service.connect(NORTH_HUB, { protocolId: 'MQIsdp', protocolVersion: 3 })
  const receipts = await collect(client, `v1/hubs/${NORTH_HUB}/receipt`)
  const reading = { device: northDevice(3), at: nextTime(), temperature: 4 }
  await publish(client, `v1/hubs/${NORTH_HUB}/readings`, { boot: 'b', seq: 0, readings: [reading] })
  expect((await received(receipts, 1)).json).toMatchObject({ boot: 'b', seq: 0 })
})
