/** docs/lorawan.md, "What becomes of an uplink": from the publish of a network server to the rows. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { publishRoute } from '../broker/topics.ts'
import { until } from '../db/testing/poll.ts'
import { chirpStackUp, type TestUplink, thingsStackUp } from '../ingest/decode/lora/testing/uplinks.ts'
import { replayRejected } from '../ingest/replay/replay.ts'
import type { ReplayTally } from '../ingest/replay/tally.ts'
import { publish } from './testing/clients.ts'
import { acmeFleet, device, NETWORK_SERVER, RIVAL_DEVICE, unitOf } from './testing/fleet.ts'
import { hasProgram } from './testing/programs.ts'
import { doorEventsOf, readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'

/** Why tests by it are skipped; undefined where it is installed. */
const MOSQUITTO_PUB_MISSING = hasProgram('mosquitto_pub', ['--help'])
  ? undefined
  : 'it is not installed (Debian: apt-get install mosquitto-clients)'
const USERNAME = `ns:${NETWORK_SERVER}`
/** The devices of the servers' own examples. */
const CHIRPSTACK_DEVICE = '0101010101010101'
const THINGS_DEVICE = '0004a30b001c0530'
const LHT65 = {
  decoded: { BatV: 3.062, TempC_DS: 4.25, TempC_SHT: 28.29, Hum_SHT: 88.6 },
  profile: 'Dragino LHT65',
}

const fleet = acmeFleet()
let service: TestService
let server: MqttClient
let devices = 0
let frames = 0

beforeAll(async () => {
  service = await startTestService()
  unitOf(fleet, 'Cooler').devices.push(device(CHIRPSTACK_DEVICE), device(THINGS_DEVICE))
  await service.applyFleet(fleet)
})
beforeEach(async () => {
  server = await service.connect(USERNAME)
})
afterEach(async () => {
  await expectBalance()
  await closeAll()
})
afterAll(() => service.close())

/** A device of the cooler that no other test has. */
async function newDevice(lora?: { temperature_source: string }): Promise<string> {
  const devEui = nextEui()
  unitOf(fleet, 'Cooler').devices.push({ ...device(devEui), ...(lora && { lora }) })
  await service.applyFleet(fleet)
  return devEui
}

function nextEui(): string {
  devices += 1
  return `70b3d57ed1${devices.toString(16).padStart(6, '0')}`
}

/** Publishes an `up` event of ChirpStack, of a new frame unless `fCnt` is given; resolves with its PUBACK. */
function up(devEui: string, uplink: TestUplink, change: object = {}): Promise<unknown> {
  frames += 1
  const event = {
    ...chirpStackUp({
      bytes: '00',
      fPort: 1,
      fCnt: frames,
      time: new Date().toISOString(),
      ...uplink,
      devEui,
    }),
    ...change,
  }
  return publish(server, `application/1/device/${devEui}/event/up`, event)
}

function replay(devEui: string): Promise<ReplayTally> {
  return replayRejected({
    pool: service.db.$client,
    routeOf: publishRoute,
    filter: { device: devEui },
    limit: 100,
    dryRun: false,
    statementTimeoutMs: 30_000,
  })
}

async function expectBalance(): Promise<void> {
  expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
  expect(await service.metric('frostguard_door_events_imbalance')).toBe(0)
}

interface Example {
  topic: string
  payload: object
}

function example(file: string): Example {
  return JSON.parse(readFileSync(new URL(`testing/${file}`, import.meta.url), 'utf8'))
}

describe.skipIf(MOSQUITTO_PUB_MISSING)(
  `both servers' own examples, by mosquitto_pub${MOSQUITTO_PUB_MISSING ? `: ${MOSQUITTO_PUB_MISSING}` : ''}`,
  () => {
    async function mosquitto({ topic, payload }: Example): Promise<void> {
      const args = ['-h', '127.0.0.1', '-p', String(service.mqttPort), '-q', '1', '-i', 'mosquitto']
      const logIn = ['-u', USERNAME, '-P', service.secretOf(USERNAME)]
      await promisify(execFile)('mosquitto_pub', [
        ...args,
        ...logIn,
        '-t',
        topic,
        '-m',
        JSON.stringify(payload),
      ])
    }

    test('The Things Stack: a reading', async () => {
      await mosquitto(example('the-things-stack-up.json'))
      expect(await readingsOf(service, THINGS_DEVICE)).toMatchObject([
        {
          atMs: Date.parse('2020-02-12T15:15:45.789Z'),
          temperature: 1,
          humidity: null,
          battery: null,
          rssi: -35,
          snr: 5,
          fault: null,
          source: 'network',
          unit: 'Cooler',
        },
      ])
    })

    test('ChirpStack: one byte without a codec is rejected; with a codec it is a reading', async () => {
      const { topic, payload } = example('chirpstack-up.json')
      const rejects = await rejectsOf(service, () => mosquitto({ topic, payload }))
      expect(rejects).toMatchObject([
        { reason: 'invalid', device: CHIRPSTACK_DEVICE, item: null, client: USERNAME },
      ])
      expect(rejects[0]?.detail).toContain('no decoder for 1 bytes on port 1')

      await mosquitto({ topic, payload: { ...payload, object: { temperature: 3.5, humidity: 61 } } })
      expect(await readingsOf(service, CHIRPSTACK_DEVICE)).toMatchObject([
        {
          atMs: Date.parse('2022-07-18T09:34:15.775Z'),
          temperature: 3.5,
          humidity: 61,
          rssi: -36,
          snr: 10.5,
          source: 'network',
        },
      ])
    })
  },
)

describe("which temperature is the unit's", () => {
  test('the external probe, unless temperature_source says another; a change is noticed', async () => {
    const devEui = await newDevice()
    await up(devEui, LHT65)
    expect(await readingsOf(service, devEui)).toMatchObject([
      { temperature: 4.25, humidity: 88.6, battery: 100 },
    ])

    const inFleet = unitOf(fleet, 'Cooler').devices.at(-1)
    Object.assign(inFleet ?? {}, { lora: { temperature_source: 'internal' } })
    await service.applyFleet(fleet)
    await until('the other one is stored', async () => {
      await up(devEui, LHT65)
      return (await readingsOf(service, devEui)).some(({ temperature }) => temperature === 28.29)
    })
  })

  test('a probe that is not there is a fault, never the temperature of another', async () => {
    const devEui = await newDevice({ temperature_source: 'external' })
    await up(devEui, { ...LHT65, decoded: { ...LHT65.decoded, TempC_DS: 327.67 } })
    await up(devEui, { ...LHT65, decoded: { TempC_SHT: 28.29 } })
    expect(await readingsOf(service, devEui)).toMatchObject([
      { temperature: null, fault: 'no_probe', humidity: 88.6 },
      { temperature: null, fault: 'no_probe' },
    ])
  })
})

describe('stored once', () => {
  test('the same message again', async () => {
    const devEui = await newDevice()
    const uplink = { decoded: { temperature: 4 }, fCnt: 7, time: '2026-01-01T00:00:00Z' }
    await up(devEui, uplink)
    await up(devEui, uplink)
    expect(await readingsOf(service, devEui)).toHaveLength(1)
  })

  test('the same frame as another message, from a slower gateway', async () => {
    const devEui = await newDevice()
    const repeated = await service.metric('frostguard_lora_frames_repeated_total')
    const frame = { decoded: { temperature: 4, door: 'open' }, fCnt: 7, bytes: '0367' }
    await up(devEui, { ...frame, time: '2026-01-01T00:00:00Z' })
    await up(devEui, { ...frame, time: '2026-01-01T00:00:02.5Z' }, { deduplicationId: 'another' })
    expect(await readingsOf(service, devEui)).toHaveLength(1)
    expect(await doorEventsOf(service, devEui)).toHaveLength(1)
    expect(await service.metric('frostguard_lora_frames_repeated_total')).toBe(repeated + 1)
  })

  test('but a counter that begins again is another frame', async () => {
    const devEui = await newDevice()
    const frame = { decoded: { temperature: 4 }, fCnt: 0, bytes: '0367' }
    await up(devEui, { ...frame, time: '2026-01-01T00:00:00Z' })
    await up(devEui, { ...frame, time: '2026-01-01T00:01:00Z' }, { devAddr: '00189441' })
    expect(await readingsOf(service, devEui)).toHaveLength(2)
  })

  test('through several gateways: with the best of them', async () => {
    const devEui = await newDevice()
    const rxInfo = [
      { rssi: -110, snr: -3 },
      { rssi: -80, snr: 9.5 },
      { rssi: -70, snr: 4 },
    ]
    await up(devEui, { decoded: { temperature: 4 } }, { rxInfo })
    expect(await readingsOf(service, devEui)).toMatchObject([{ rssi: -80, snr: 9.5 }])
  })
})

describe('readings and door events of one uplink', () => {
  test('are both stored, and the books balance', async () => {
    const devEui = await newDevice()
    const history = [{ timestamp: 1_767_225_600, temperature: 3.1, magnet_status: 'closed' }]
    await up(devEui, { decoded: { temperature: 4.4, magnet_status: 'open', battery: 92, history } })
    expect(await readingsOf(service, devEui)).toMatchObject([
      { atMs: 1_767_225_600_000, temperature: 3.1, source: 'device', rssi: null },
      { temperature: 4.4, battery: 92, source: 'network', rssi: -36 },
    ])
    expect(await doorEventsOf(service, devEui)).toMatchObject([
      { atMs: 1_767_225_600_000, state: 'closed', source: 'device' },
      { state: 'open', source: 'network' },
    ])
  })

  test('of a sensor that nobody knows are rejected; added and replayed, they are stored', async () => {
    const devEui = nextEui()
    const decoded = { temperature: 4.4, door: 'open' }
    const rejects = await rejectsOf(service, () => up(devEui, { decoded, time: '2026-01-01T00:00:00Z' }))
    expect(rejects).toMatchObject([
      { reason: 'unknown_device', device: devEui, item: 0 },
      { reason: 'unknown_device', device: devEui, item: 1 },
    ])
    expect(rejects[0]?.detail).toContain('deviceInfo.devEui: expected a device of this organization')
    expect(await service.metric('frostguard_door_events_rejected_total{reason="unknown_device"}')).toBe(1)

    unitOf(fleet, 'Cooler').devices.push(device(devEui))
    await service.applyFleet(fleet)
    expect(await replay(devEui)).toMatchObject({ readings: 1, doors: 1 })
    expect(await readingsOf(service, devEui)).toMatchObject([{ temperature: 4.4, source: 'network' }])
    expect(await doorEventsOf(service, devEui)).toMatchObject([{ state: 'open' }])
  })

  test('of a message that an earlier version set aside whole are stored by a replay', async () => {
    const devEui = await newDevice()
    await rejectsOf(service, () => up(devEui, { bytes: 'aa' }))
    const event = chirpStackUp({ devEui, bytes: 'aa', decoded: { temperature: 4.4, door: 'open' } })
    await service.query(
      `UPDATE pipeline.rejected_payloads SET payload = $1 WHERE id IN
         (SELECT payload_id FROM pipeline.rejected_messages WHERE device = $2)`,
      [Buffer.from(JSON.stringify(event)), devEui],
    )
    expect(await replay(devEui)).toMatchObject({ readings: 1, doors: 1, stillRejected: {} })
    expect(await readingsOf(service, devEui)).toHaveLength(1)
    expect(await doorEventsOf(service, devEui)).toHaveLength(1)
  })

  test("of another organization's sensor do not exist", async () => {
    const rejects = await rejectsOf(service, () => up(RIVAL_DEVICE, { decoded: { temperature: 4 } }))
    expect(rejects).toMatchObject([{ reason: 'unknown_device' }])
  })
})

test('what somebody typed into the console of The Things Stack has the source simulated', async () => {
  const message = thingsStackUp({
    decoded: { temperature: 30, door: 'open' },
    bytes: '00',
    devEui: THINGS_DEVICE,
    simulated: true,
  })
  await publish(server, 'v3/app1@tenant1/devices/dev1/up', message)
  expect((await readingsOf(service, THINGS_DEVICE)).at(-1)).toMatchObject({
    temperature: 30,
    source: 'simulated',
  })
  expect(await doorEventsOf(service, THINGS_DEVICE)).toMatchObject([{ source: 'simulated' }])
})

test('another device in the message than in its topic', async () => {
  const event = chirpStackUp({ decoded: { temperature: 4 }, devEui: THINGS_DEVICE })
  const rejects = await rejectsOf(service, () =>
    publish(server, `application/1/device/${CHIRPSTACK_DEVICE}/event/up`, event),
  )
  expect(rejects).toMatchObject([{ reason: 'not_your_device', item: null }])
})

describe('other events are acknowledged, counted and ignored', () => {
  test.each([
    [`application/1/device/${CHIRPSTACK_DEVICE}/event/`, 'chirpstack', ['ack', 'txack', 'log', 'location']],
    ['v3/app1@tenant1/devices/dev1/', 'things_stack', ['down/queued', 'down/failed', 'service/data']],
  ])('%s', async (prefix, name, events) => {
    for (const event of events) {
      const metric = `frostguard_network_events_ignored_total{server="${name}",event="${event}"}`
      const rejects = await rejectsOf(service, () => publish(server, prefix + event, 'anything'))
      expect([event, rejects]).toEqual([event, []])
      expect([event, await service.metric(metric)]).toEqual([event, 1])
    }
    expect(server.connected).toBe(true)
  })

  test('a frame without a payload is acknowledged too', async () => {
    const devEui = await newDevice()
    expect(await rejectsOf(service, () => up(devEui, { bytes: '' }))).toEqual([])
    expect(await readingsOf(service, devEui)).toEqual([])
  })
})
