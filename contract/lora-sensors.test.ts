/** docs/lorawan.md, "What is known of a sensor": frame counters, joins and batteries, from both network servers. */
import type { MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { publish } from './testing/clients.ts'
import { NETWORK_SERVER, northDevice, RIVAL_DEVICE } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'

const JOIN_EUI = '800000000000000C'
const T0 = Date.UTC(2026, 10, 20)

let service: TestService
let network: MqttClient
let devices = 0

beforeAll(async () => {
  service = await startTestService()
  network = await service.connect(`ns:${NETWORK_SERVER}`)
})
afterAll(() => service?.close())

/** A sensor for one test: they run beside each other, as each waits for what is written every two seconds. */
async function addSensor(): Promise<string> {
  devices += 1
  const devEui = northDevice(devices)
  await service.query(
    `INSERT INTO lora_sensors (organization_id, device_id, dev_eui)
     SELECT organization_id, id, device_eui FROM devices WHERE device_eui = $1`,
    [devEui],
  )
  return devEui
}

const iso = (second: number) => new Date(T0 + second * 1_000).toISOString()

interface Event {
  second: number
  fCnt?: number
  devAddr?: string
  of: string
}

/** As the servers write them: what is 0 is left out. */
const SERVERS = {
  ChirpStack: {
    up: ({ second, fCnt = 0, devAddr = '01020304', of }: Event) =>
      publish(network, `application/a/device/${of}/event/up`, {
        time: iso(second),
        deviceInfo: { devEui: of, deviceProfileName: 'EM300-TH' },
        devAddr,
        ...(fCnt > 0 && { fCnt }),
        fPort: 85,
        data: 'AXVcA2cBAQRocQ==',
        object: { temperature: 4.2 },
      }),
    join: ({ second, devAddr = '0a0b0c0d', of }: Event) =>
      publish(network, `application/a/device/${of}/event/join`, {
        time: iso(second),
        deviceInfo: { devEui: of },
        devAddr,
      }),
  },
  'The Things Stack': {
    up: ({ second, fCnt = 0, devAddr = '01020304', of }: Event) =>
      publish(network, 'v3/app@ttn/devices/dev-1/up', {
        end_device_ids: {
          device_id: 'dev-1',
          dev_eui: of.toUpperCase(),
          join_eui: JOIN_EUI,
          dev_addr: devAddr,
        },
        received_at: iso(second),
        uplink_message: {
          ...(fCnt > 0 && { f_cnt: fCnt }),
          f_port: 85,
          frm_payload: 'AXVcA2cBAQRocQ==',
          decoded_payload: { temperature: 4.2 },
          received_at: iso(second),
        },
      }),
    join: ({ second, devAddr = '0a0b0c0d', of }: Event) =>
      publish(network, 'v3/app@ttn/devices/dev-1/join', {
        end_device_ids: {
          device_id: 'dev-1',
          dev_eui: of.toUpperCase(),
          join_eui: JOIN_EUI,
          dev_addr: devAddr,
        },
        received_at: iso(second),
        join_accept: { received_at: iso(second) },
      }),
  },
}

/** What is known of the sensor now; what was heard is written within seconds. */
async function sensor(devEui: string) {
  const [row] = await service.query<Record<string, unknown>>(
    `SELECT s.last_f_cnt::int AS "fCnt", s.dev_addr AS "devAddr", s.join_eui AS "joinEui", s.f_cnt_gaps AS gaps,
       s.f_cnt_resets AS resets, s.last_uplink_at AS "uplinkAt", s.last_join_at AS "joinAt", d.last_seen_at AS "seenAt", d.battery
     FROM lora_sensors s JOIN devices d ON d.id = s.device_id WHERE d.device_eui = $1`,
    [devEui],
  )
  return row
}

async function becomes(devEui: string, expected: Record<string, unknown>): Promise<void> {
  let last: unknown
  await until(`the sensor is ${JSON.stringify(expected)}`, async () => {
    last = await sensor(devEui)
    return Object.entries(expected).every(
      ([name, value]) => JSON.stringify((last as Record<string, unknown>)[name]) === JSON.stringify(value),
    )
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(last)}`)
  })
}

describe.concurrent.each(Object.entries(SERVERS))('%s', (name, server) => {
  test('the counter of the last frame, and what is missing before it', async () => {
    const of = await addSensor()
    await server.up({ of, second: 1, fCnt: 10 })
    await server.up({ of, second: 2, fCnt: 14 })
    await becomes(of, { fCnt: 14, devAddr: '01020304', gaps: 3, resets: 0, uplinkAt: new Date(T0 + 2_000) })
  })

  test('a counter that begins again at 0 is no duplicate: both are stored, and the reset is counted', async () => {
    const of = await addSensor()
    await server.up({ of, second: 1 })
    await server.up({ of, second: 2, fCnt: 1 })
    await server.up({ of, second: 4_000 })
    await becomes(of, { fCnt: 0, gaps: 0, resets: 1 })
    expect((await readingsOf(service, of)).map(({ atMs }) => atMs)).toEqual([
      T0 + 1_000,
      T0 + 2_000,
      T0 + 4_000_000,
    ])
  })

  test('a join: the new address, and the first frame after it is no reset', async () => {
    const of = await addSensor()
    await server.up({ of, second: 1, fCnt: 500 })
    await becomes(of, { fCnt: 500 })
    await server.join({ of, second: 2 })
    await becomes(of, {
      devAddr: '0a0b0c0d',
      fCnt: null,
      joinAt: new Date(T0 + 2_000),
      seenAt: new Date(T0 + 2_000),
    })
    if (name === 'The Things Stack')
      expect(await sensor(of)).toMatchObject({ joinEui: JOIN_EUI.toLowerCase() })
    await server.up({ of, second: 3, devAddr: '0a0b0c0d' })
    await becomes(of, { fCnt: 0, gaps: 0, resets: 0 })
  })

  test('a network server says nothing of a sensor of another organization', async () => {
    const of = await addSensor()
    await server.join({ of: RIVAL_DEVICE, second: 1 })
    await server.join({ of, second: 1 })
    await becomes(of, { joinAt: new Date(T0 + 1_000) })
    const [rival] = await service.query('SELECT last_seen_at AS at FROM devices WHERE device_eui = $1', [
      RIVAL_DEVICE,
    ])
    expect(rival).toEqual({ at: null })
  })
})

describe.concurrent("ChirpStack's status", () => {
  const status = (of: string, second: number, fields: object) =>
    publish(network, `application/a/device/${of}/event/status`, {
      time: iso(second),
      deviceInfo: { devEui: of },
      margin: 10,
      ...fields,
    })

  test('the battery, in percent; 0 is left out', async () => {
    const of = await addSensor()
    await status(of, 1, { batteryLevel: 87.4 })
    await becomes(of, { battery: 87, seenAt: new Date(T0 + 1_000) })
    await status(of, 2, {})
    await becomes(of, { battery: 0 })
  })

  test('a sensor on mains, or that cannot tell, keeps what is known', async () => {
    const of = await addSensor()
    await status(of, 1, { batteryLevel: 50 })
    await status(of, 2, { externalPowerSource: true })
    await status(of, 3, { batteryLevelUnavailable: true })
    await becomes(of, { battery: 50, seenAt: new Date(T0 + 3_000) })
  })

  test('one that cannot be read is acknowledged and counted', async () => {
    const of = await addSensor()
    const name = 'frostguard_network_events_ignored_total{server="chirpstack",event="status"}'
    await publish(network, `application/a/device/${of}/event/status`, '{')
    expect(await service.metric(name)).toBe(1)
  })
})

test("Pub/Sub of The Things Stack: one topic for all sensors, with - in the place of the sensor's id", async () => {
  const of = await addSensor()
  const received_at = iso(1)
  await publish(network, 'v3/app@ttn/devices/-/up', {
    end_device_ids: { device_id: 'dev-1', dev_eui: of.toUpperCase(), dev_addr: '01020304' },
    received_at,
    uplink_message: { f_port: 2, frm_payload: 'AQI=', decoded_payload: { temperature: 4.2 }, received_at },
  })
  expect(await readingsOf(service, of)).toMatchObject([{ atMs: T0 + 1_000, temperature: 4.2 }])
})
