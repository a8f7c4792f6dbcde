/** docs/protocol.md, "MQTT": who may publish and subscribe what. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, publishPacket } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { unitStatusMessage } from '../ingest/operator-payloads.ts'
import { collect, connectRaw, logInFields, publish, received, returnCodeOf } from './testing/clients.ts'
import {
  NETWORK_SERVER,
  NORTH_HUB,
  NORTH_HUB_2,
  northDevice,
  RIVAL_DEVICE,
  RIVAL_HUB,
  SELF_DEVICE,
  SOUTH_DEVICE,
  SOUTH_HUB,
} from './testing/fleet.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const WARN = 40
const SELF = `device:${SELF_DEVICE}`
const SERVER = `ns:${NETWORK_SERVER}`
const OPERATOR = 'operator:acme'
const UNIT = '01890a5d-ac96-774b-bcce-b302099a8057'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

describe('a client may publish to its own topics', () => {
  test.each([
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/readings`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/doors`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/status`],
    [SELF, `v1/devices/${SELF_DEVICE}/readings`],
    [SELF, `v1/devices/${SELF_DEVICE}/doors`],
    [SELF, `v1/devices/${SELF_DEVICE.toUpperCase()}/readings`],
    [SERVER, `application/0190-app/device/${northDevice(0)}/event/up`],
    [SERVER, `application/0190-app/device/${northDevice(0)}/event/join`],
    [SERVER, `application/0190-app/device/${northDevice(0)}/event/status`],
    [SERVER, 'v3/app@tenant/devices/cooler-1/up'],
    [SERVER, 'v3/app@tenant/devices/cooler-1/join'],
  ])('%s to %s: acknowledged', async (username, topic) => {
    const client = await connectRaw(service, username)
    client.send(publishPacket({ topic, payload: Buffer.from('{}'), messageId: 5 }))
    expect((await client.next('puback')).messageId).toBe(5)
  })
})

describe('a publish to anything else disconnects the client', () => {
  test.each([
    [NORTH_HUB, `v1/hubs/${SOUTH_HUB}/readings`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB_2}/readings`],
    [NORTH_HUB, `v1/hubs/${RIVAL_HUB}/readings`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/receipt`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/rejected`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/commands`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/readings/more`],
    [NORTH_HUB, `/v1/hubs/${NORTH_HUB}/readings`],
    [NORTH_HUB, `v2/hubs/${NORTH_HUB}/readings`],
    [NORTH_HUB, `v1/devices/${northDevice(0)}/readings`],
    [NORTH_HUB, 'v1/orgs/acme/alerts'],
    [NORTH_HUB, '$SYS/broker/uptime'],
    [NORTH_HUB, `application/a/device/${northDevice(0)}/event/up`],
    [SELF, `v1/devices/${northDevice(0)}/readings`],
    [SELF, `v1/devices/${SELF_DEVICE}/status`],
    [SELF, `v1/hubs/${NORTH_HUB}/readings`],
    [SERVER, `v1/hubs/${NORTH_HUB}/readings`],
    [SERVER, `v1/devices/${SELF_DEVICE}/readings`],
    [SERVER, `application/a/device/${northDevice(0)}/event/down`],
    [SERVER, 'v3/app@tenant/devices/cooler-1/down/push'],
    [OPERATOR, 'v1/orgs/acme/alerts'],
    [OPERATOR, `v1/hubs/${NORTH_HUB}/commands`],
    [OPERATOR, `v1/hubs/${NORTH_HUB}/readings`],
  ])('%s to %s: no PUBACK, and the connection ends', async (username, topic) => {
    const client = await connectRaw(service, username)
    client.send(publishPacket({ topic }))
    await client.untilClosed()
    expect(client.all('puback')).toEqual([])
  })

  test('the same with QoS 0 and QoS 2', async () => {
    for (const qos of [0, 2] as const) {
      const client = await connectRaw(service, NORTH_HUB)
      client.send(publishPacket({ topic: `v1/hubs/${SOUTH_HUB}/readings`, qos }))
      await client.untilClosed()
      expect(client.all('pubrec')).toEqual([])
    }
  })

  test('it is logged and counted', async () => {
    const counted = () => service.metric('frostguard_broker_publishes_refused_total')
    const before = await counted()
    // One line for a client and minute: a client of its own.
    const client = await connectRaw(service, NORTH_HUB, { clientId: 'logged-publish' })
    client.send(publishPacket({ topic: `v1/hubs/${SOUTH_HUB}/doors` }))
    await client.untilClosed()
    expect(await counted()).toBe(before + 1)
    expect(service.logged).toContainEqual(
      expect.objectContaining({
        level: WARN,
        username: NORTH_HUB,
        clientId: 'logged-publish',
        topic: `v1/hubs/${SOUTH_HUB}/doors`,
      }),
    )
  })

  test('a last will to a topic of somebody else is refused with the log-in', async () => {
    const { returnCode } = await returnCodeOf(service, {
      ...logInFields(service, NORTH_HUB),
      will: { topic: `v1/hubs/${SOUTH_HUB}/status`, payload: Buffer.from('{}'), qos: 1, retain: false },
    })
    expect(returnCode).toBe(5)
  })

  test('what it has published before is committed and acknowledged', async () => {
    const client = await connectRaw(service, NORTH_HUB)
    const reading = { device: northDevice(1), at: nextTime(), temperature: 4 }
    client.send(publishPacket({ payload: JSON.stringify(reading), topic: `v1/hubs/${NORTH_HUB}/readings` }))
    await client.next('puback')
    client.send(publishPacket({ topic: `v1/hubs/${SOUTH_HUB}/readings`, messageId: 2 }))
    await client.untilClosed()
    expect(await readingsOf(service, northDevice(1))).toHaveLength(1)
  })
})

describe('a client may subscribe to its own topics', () => {
  test.each([
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/rejected`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/receipt`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB}/commands`],
    [OPERATOR, 'v1/orgs/acme/alerts'],
    [OPERATOR, `v1/orgs/acme/units/${UNIT}`],
    [OPERATOR, 'v1/orgs/acme/units/+'],
    [OPERATOR, 'v1/orgs/acme/#'],
  ])('%s to %s', async (username, topic) => {
    expect(await granted(username, topic)).toEqual([1])
  })
})

describe('a subscription to anything else is answered with 0x80', () => {
  test.each([
    [NORTH_HUB, '#'],
    [NORTH_HUB, '+/hubs/hub-north/rejected'],
    [NORTH_HUB, 'v1/hubs/+/rejected'],
    [NORTH_HUB, 'v1/hubs/#'],
    [NORTH_HUB, `v1/+/${NORTH_HUB}/rejected`],
    [NORTH_HUB, `v1/hubs/${SOUTH_HUB}/rejected`],
    [NORTH_HUB, `v1/hubs/${NORTH_HUB_2}/receipt`],
    [NORTH_HUB, '$SYS/#'],
    [NORTH_HUB, '$share/group/#'],
    [NORTH_HUB, 'v1/orgs/acme/alerts'],
    [SELF, `v1/devices/${SELF_DEVICE}/readings`],
    [SELF, `v1/hubs/${NORTH_HUB}/commands`],
    [SERVER, `application/a/device/${northDevice(0)}/event/up`],
    [SERVER, 'v1/orgs/acme/alerts'],
    [OPERATOR, 'v1/orgs/rival/alerts'],
    [OPERATOR, 'v1/orgs/+/alerts'],
    [OPERATOR, 'v1/orgs/#'],
    [OPERATOR, `v1/hubs/${NORTH_HUB}/rejected`],
    [OPERATOR, '#'],
    [OPERATOR, '$SYS/#'],
  ])('%s to %s', async (username, topic) => {
    expect(await granted(username, topic)).toEqual([0x80])
  })

  test('each filter of a SUBSCRIBE is judged for itself', async () => {
    const own = `v1/hubs/${NORTH_HUB}/rejected`
    expect(await granted(NORTH_HUB, `v1/hubs/${SOUTH_HUB}/rejected`, own, '#')).toEqual([0x80, 1, 0x80])
  })

  test('it is logged and counted', async () => {
    const counted = () => service.metric('frostguard_broker_subscribes_refused_total')
    const before = await counted()
    const client = await connectRaw(service, NORTH_HUB, { clientId: 'logged-subscribe' })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] })
    await client.next('suback')
    expect(await counted()).toBe(before + 1)
    expect(service.logged).toContainEqual(
      expect.objectContaining({ level: WARN, clientId: 'logged-subscribe', filter: '#' }),
    )
  })
})

describe('nobody hears what is not for them', () => {
  test('data that a hub publishes reaches no subscriber, not even itself', async () => {
    const hub = await service.connect(NORTH_HUB)
    const heard = await collect(hub, `v1/hubs/${NORTH_HUB}/#`)
    const operator = await service.connect(OPERATOR)
    const heardByOperator = await collect(operator, 'v1/orgs/acme/#')
    const readings = `v1/hubs/${NORTH_HUB}/readings`
    await hub.publishAsync(readings, JSON.stringify([{ device: northDevice(2), temperature: 1 }]), {
      qos: 1,
      retain: true,
    })
    await publish(hub, readings, 'not JSON')
    await until('the reject is answered', () => heard.some(({ topic }) => topic.endsWith('/rejected')))
    expect(heard.filter(({ topic }) => topic.endsWith('/readings'))).toEqual([])
    // What becomes of it is told: the status of the unit, and no more.
    for (const { topic, json } of heardByOperator) {
      const { unit } = unitStatusMessage.strict().parse(json)
      expect(topic).toBe(`v1/orgs/acme/units/${unit}`)
    }
  })

  test('a hub is not told of rejects of another hub of its site', async () => {
    const first = await service.connect(NORTH_HUB)
    const second = await service.connect(NORTH_HUB_2)
    const heardByFirst = await collect(first, `v1/hubs/${NORTH_HUB}/rejected`)
    const heardBySecond = await collect(second, `v1/hubs/${NORTH_HUB_2}/rejected`)
    await publish(first, `v1/hubs/${NORTH_HUB}/readings`, 'first')
    await publish(second, `v1/hubs/${NORTH_HUB_2}/readings`, 'second')
    await received(heardByFirst, 1)
    await received(heardBySecond, 1)
    expect([heardByFirst.length, heardBySecond.length]).toEqual([1, 1])
  })
})

describe('a hub speaks for the devices of its site', () => {
  const reading = (device: string) => ({ device, at: nextTime(), temperature: 4 })

  test('also for those assigned to another hub of the site', async () => {
    const client = await service.connect(NORTH_HUB_2)
    await publish(client, `v1/hubs/${NORTH_HUB_2}/readings`, reading(northDevice(3)))
    expect(await readingsOf(service, northDevice(3))).toHaveLength(1)
  })

  test("and for a device of the site that is no hub's", async () => {
    const client = await service.connect(NORTH_HUB_2)
    await publish(client, `v1/hubs/${NORTH_HUB_2}/readings`, reading(SELF_DEVICE))
    expect(await readingsOf(service, SELF_DEVICE)).toHaveLength(1)
  })

  test("another site's device is not_your_device", async () => {
    const client = await service.connect(NORTH_HUB)
    const rejects = await rejectsOf(service, () =>
      publish(client, `v1/hubs/${NORTH_HUB}/readings`, reading(SOUTH_DEVICE)),
    )
    expect(rejects).toMatchObject([{ reason: 'not_your_device', device: SOUTH_DEVICE }])
    expect(await readingsOf(service, SOUTH_DEVICE)).toEqual([])
  })

  test('a device of another organization is unknown_device', async () => {
    const client = await service.connect(NORTH_HUB)
    const rejects = await rejectsOf(service, () =>
      publish(client, `v1/hubs/${NORTH_HUB}/readings`, reading(RIVAL_DEVICE)),
    )
    expect(rejects).toMatchObject([{ reason: 'unknown_device', device: RIVAL_DEVICE }])
    expect(await readingsOf(service, RIVAL_DEVICE)).toEqual([])
  })
})

/** The answers to a SUBSCRIBE with these filters. */
async function granted(username: string, ...filters: string[]) {
  const client = await connectRaw(service, username)
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) })
  return (await client.next('suback')).granted
}
