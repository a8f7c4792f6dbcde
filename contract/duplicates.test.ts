/** docs/protocol.md, "Readings message": same device and same `at` again. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll, publishPacket } from '../broker/testing.ts'
import { connectRaw, publish } from './testing/clients.ts'
import { NORTH_HUB, NORTH_HUB_2, northDevice, SELF_DEVICE } from './testing/fleet.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const TOPIC = `v1/hubs/${NORTH_HUB}/readings`

let service: TestService
let devices = 0
/** A device that no other test uses. */
let device: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(() => {
  device = northDevice(devices++)
})
afterEach(closeAll)
afterAll(() => service.close())

const duplicates = () => service.metric('frostguard_readings_duplicate_total')

describe('same device and same at again: a duplicate', () => {
  test('it is stored once, the first committed wins, it is acknowledged and counted', async () => {
    const before = await duplicates()
    const hub = await service.connect(NORTH_HUB)
    const at = nextTime()
    await publish(hub, TOPIC, { device, at, temperature: 1, humidity: 50 })
    await publish(hub, TOPIC, { device, at, temperature: 2 })
    expect(await readingsOf(service, device)).toMatchObject([{ atMs: at, temperature: 1, humidity: 50 }])
    expect(await duplicates()).toBe(before + 1)
  })

  test('it is nothing to reject', async () => {
    const hub = await service.connect(NORTH_HUB)
    const reading = { device, at: nextTime(), temperature: 1 }
    const rejects = await rejectsOf(service, async () => {
      await publish(hub, TOPIC, reading)
      await publish(hub, TOPIC, reading)
    })
    expect(rejects).toEqual([])
  })

  test('within one message too', async () => {
    const before = await duplicates()
    const hub = await service.connect(NORTH_HUB)
    const at = nextTime()
    await publish(
      hub,
      TOPIC,
      [1, 2, 3].map((temperature) => ({ device, at, temperature })),
    )
    expect(await readingsOf(service, device)).toMatchObject([{ temperature: 1 }])
    expect(await duplicates()).toBe(before + 2)
  })

  test('beside new readings of the same message, which are stored', async () => {
    const before = await duplicates()
    const hub = await service.connect(NORTH_HUB)
    const known = Array.from({ length: 100 }, () => ({ device, at: nextTime(), temperature: 1 }))
    const fresh = Array.from({ length: 100 }, () => ({ device, at: nextTime(), temperature: 2 }))
    await publish(hub, TOPIC, known)
    await publish(hub, TOPIC, [...known, ...fresh])
    const rows = await readingsOf(service, device)
    expect(rows.map((row) => row.temperature)).toEqual([...known, ...fresh].map((row) => row.temperature))
    expect(await duplicates()).toBe(before + 100)
  })

  test('however the time and the device are written', async () => {
    const before = await duplicates()
    const hub = await service.connect(NORTH_HUB)
    const at = nextTime()
    const written = [
      { device, at },
      { device: device.toUpperCase(), at: new Date(at).toISOString() },
      { device: device.replace(/..(?=.)/g, '$&:'), at: new Date(at).toISOString().replace('Z', '+00:00') },
      { device, at: at + 0.75 },
    ]
    for (const origin of written) await publish(hub, TOPIC, { ...origin, temperature: 1 })
    expect(await readingsOf(service, device)).toHaveLength(1)
    expect(await duplicates()).toBe(before + 3)
  })

  test('whoever sends it: another hub of the site, or the device itself', async () => {
    const before = await duplicates()
    const reading = { device: SELF_DEVICE, at: nextTime(), temperature: 1 }
    await publish(await service.connect(NORTH_HUB), TOPIC, reading)
    await publish(await service.connect(NORTH_HUB_2), `v1/hubs/${NORTH_HUB_2}/readings`, reading)
    await publish(
      await service.connect(`device:${SELF_DEVICE}`),
      `v1/devices/${SELF_DEVICE}/readings`,
      reading,
    )
    expect(await readingsOf(service, SELF_DEVICE)).toHaveLength(1)
    expect(await duplicates()).toBe(before + 2)
  })

  test('in many messages at once', async () => {
    const before = await duplicates()
    const hubs = [await service.connect(NORTH_HUB), await service.connect(NORTH_HUB)]
    const times = Array.from({ length: 20 }, nextTime)
    await Promise.all(
      hubs.flatMap((hub, temperature) =>
        times.map((at) =>
          publish(hub, TOPIC, { boot: 'b', seq: at, readings: [{ device, at, temperature }] }),
        ),
      ),
    )
    expect((await readingsOf(service, device)).map((row) => row.atMs)).toEqual(times)
    expect(await duplicates()).toBe(before + times.length)
  })

  test('by two hubs of a site at the same time', async () => {
    const before = await duplicates()
    const hubs = [NORTH_HUB, NORTH_HUB_2]
    const clients = await Promise.all(hubs.map((hub) => service.connect(hub)))
    const times = Array.from({ length: 50 }, nextTime)
    await Promise.all(
      times.flatMap((at) =>
        clients.map((client, index) =>
          publish(client, `v1/hubs/${hubs[index]}/readings`, { device, at, temperature: 4 }),
        ),
      ),
    )
    expect((await readingsOf(service, device)).map((row) => row.atMs)).toEqual(times)
    expect(await duplicates()).toBe(before + times.length)
  })

  test('with another device or another at it is none', async () => {
    const before = await duplicates()
    const hub = await service.connect(NORTH_HUB)
    const at = nextTime()
    const other = northDevice(devices++)
    await publish(hub, TOPIC, [
      { device, at, temperature: 1 },
      { device, at: at + 1, temperature: 1 },
      { device: other, at, temperature: 1 },
    ])
    expect(await readingsOf(service, device)).toHaveLength(2)
    expect(await readingsOf(service, other)).toHaveLength(1)
    expect(await duplicates()).toBe(before)
  })
})

test('the DUP flag decides nothing: a new reading with it is stored, an old one without it is not stored twice', async () => {
  const hub = await connectRaw(service, NORTH_HUB)
  const payload = JSON.stringify({ device, at: nextTime(), temperature: 1 })
  hub.send(publishPacket({ topic: TOPIC, payload, messageId: 1, dup: true }))
  await hub.next('puback', 1)
  expect(await readingsOf(service, device)).toHaveLength(1)
  hub.send(publishPacket({ topic: TOPIC, payload, messageId: 2, dup: false }))
  await hub.next('puback', 2)
  expect(await readingsOf(service, device)).toHaveLength(1)
})

test('a QoS 2 message that is sent again before its PUBREL is stored once and acknowledged again', async () => {
  const hub = await connectRaw(service, NORTH_HUB)
  const message = publishPacket({
    topic: TOPIC,
    payload: JSON.stringify({ device, at: nextTime(), temperature: 1 }),
    qos: 2,
    messageId: 9,
  })
  hub.send(message)
  await hub.next('pubrec', 1)
  hub.send({ ...message, dup: true })
  await hub.next('pubrec', 2)
  expect(await readingsOf(service, device)).toHaveLength(1)
})

test('a resend after the connection broke, with another packet id', async () => {
  const payload = JSON.stringify({ device, at: nextTime(), temperature: 1 })
  const first = await connectRaw(service, NORTH_HUB, { clientId: 'resender' })
  first.send(publishPacket({ topic: TOPIC, payload, messageId: 1 }))
  await first.next('puback')
  await first.close()
  const second = await connectRaw(service, NORTH_HUB, { clientId: 'resender' })
  second.send(publishPacket({ topic: TOPIC, payload, messageId: 4, dup: true }))
  await second.next('puback')
  expect(await readingsOf(service, device)).toHaveLength(1)
})

test('a restart of the service in between changes nothing', async () => {
  const at = nextTime()
  await publish(await service.connect(NORTH_HUB), TOPIC, { device, at, temperature: 1 })
  await closeAll()
  await service.stop()
  await service.start()
  await publish(await service.connect(NORTH_HUB), TOPIC, { device, at, temperature: 2 })
  expect(await readingsOf(service, device)).toMatchObject([{ temperature: 1 }])
  expect(await duplicates()).toBe(1)
})
