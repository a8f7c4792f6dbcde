/**
 * Every payload of ingest/decode/lora/testing/vectors.json through the whole pipeline: published by a network server, with
 * its vendor's codec and without, the rows are those that it should become.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { chirpStackUp, type TestUplink, thingsStackUp } from '../ingest/decode/lora/testing/uplinks.ts'
import {
  EXPECTED,
  type Expected,
  OWN_DECODERS,
  uplinkOf,
  VECTORS,
} from '../ingest/decode/lora/testing/vectors.ts'
import type { LoraServer } from '../ingest/decode/lora/types.ts'
import { MOSQUITTO_MISSING, type Mosquitto, startMosquitto } from '../ingest/sources/testing/mosquitto.ts'
import { publish } from './testing/clients.ts'
import { acmeFleet, device, NETWORK_SERVER, unitOf } from './testing/fleet.ts'
import { doorEventsOf, readingsOf, storedRejects } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'

const USERNAME = `ns:${NETWORK_SERVER}`
const NETWORK_TIME = '2026-01-01T10:00:00.250Z'
const SERVERS: readonly LoraServer[] = ['chirpstack', 'things_stack']
/** As chirpStackUp and thingsStackUp write them. */
const SESSIONS = { chirpstack: '00189440', things_stack: '00bcb929' }
const SIGNALS = { chirpstack: { rssi: -36, snr: 10.5 }, things_stack: { rssi: -35, snr: 5 } }
const WITHOUT_CODEC: Expected = { rejects: ['invalid'] }

/** One uplink of a sensor of its own, and what is to be stored of it. */
interface Case {
  name: string
  devEui: string
  topic: string
  payload: Buffer
  fCnt: number
  server: LoraServer
  expected: Expected
}

let cases = 0

function caseOf(server: LoraServer, name: string, uplink: TestUplink, expected: Expected): Case {
  cases += 1
  const devEui = `70b3d57ed2${cases.toString(16).padStart(6, '0')}`
  const sent = { ...uplink, devEui, fCnt: cases, time: NETWORK_TIME }
  const [topic, message] =
    server === 'chirpstack'
      ? [`application/1/device/${devEui}/event/up`, chirpStackUp(sent)]
      : ['v3/app@ttn/devices/dev1/up', thingsStackUp(sent)]
  return { name, devEui, topic, payload: Buffer.from(JSON.stringify(message)), fCnt: cases, server, expected }
}

/** As a server passes them on that has the vendors' codecs. */
function withCodecs(server: LoraServer): Case[] {
  return VECTORS.map((vector) => caseOf(server, vector.id, uplinkOf(vector), EXPECTED.get(vector.id) ?? {}))
}

/** The bytes alone: our own decoders know them, or it is said that there is none. */
function withoutCodecs(server: LoraServer): Case[] {
  return VECTORS.map((vector) => {
    const bare = { ...uplinkOf(vector), decoded: null, normalized: null }
    const expected = OWN_DECODERS.test(vector.id) ? EXPECTED.get(vector.id) : undefined
    return caseOf(server, `${vector.id} without a codec`, bare, expected ?? WITHOUT_CODEC)
  })
}

const PUBLISHED = SERVERS.map(
  (server) => [server, [...withCodecs(server), ...withoutCodecs(server)]] as const,
)
const BRIDGED = SERVERS.map((server) => [server, withCodecs(server)] as const)

let folder: string
let mosquitto: Mosquitto | undefined
let service: TestService

beforeAll(async () => {
  folder = await makeTestFolder()
  mosquitto = MOSQUITTO_MISSING === undefined ? await startMosquitto() : undefined
  const env: Record<string, string> = mosquitto ? { INGEST_SOURCES_FILE: await writeSources(mosquitto) } : {}
  service = await startTestService({ env })
  const fleet = acmeFleet()
  for (const [, of] of [...PUBLISHED, ...BRIDGED])
    unitOf(fleet, 'Cooler').devices.push(...of.map(({ devEui }) => ({ ...device(devEui), lora: {} })))
  await service.applyFleet(fleet)
  // It knows all of them then: a sensor added a moment ago is looked up for its readings only.
  await service.stop()
  await service.start()
})
afterAll(async () => {
  await service?.close()
  await mosquitto?.remove()
  await removeTestFolder(folder)
})

async function writeSources({ url }: Mosquitto): Promise<string> {
  const source = { url, network_server: NETWORK_SERVER }
  const sources = [
    { ...source, key: 'chirpstack', kind: 'chirpstack' },
    { ...source, key: 'things-stack', kind: 'the-things-stack', username: 'app@ttn' },
  ]
  const path = join(folder, 'sources.json')
  await writeFile(path, JSON.stringify({ sources }))
  return path
}

async function publishAll(client: MqttClient, of: readonly Case[]): Promise<void> {
  await Promise.all(of.map(({ topic, payload }) => publish(client, topic, payload)))
}

/** Counters are written every two seconds, readings before the PUBACK. */
function untilCountersWritten(of: readonly Case[]): Promise<void> {
  const devEuis = of.map(({ devEui }) => devEui)
  return until('the counters are written', async () => {
    const [row] = await service.query<{ count: number }>(
      `SELECT count(*)::int FROM public.lora_sensors WHERE dev_eui = ANY ($1) AND last_f_cnt IS NOT NULL`,
      [devEuis],
    )
    return row?.count === of.length
  })
}

function expectStored(of: readonly Case[]): void {
  test.each(of.map((each) => [each.name, each] as const))(
    '%s',
    async (_name, { devEui, server, ...sent }) => {
      const { readings = [], doors = [], rejects = [] } = sent.expected
      const networkAtMs = Date.parse(NETWORK_TIME)
      const [readingRows, doorRows, rejectRows, counters] = await Promise.all([
        readingsOf(service, devEui),
        doorEventsOf(service, devEui),
        storedRejects(service, 'm.device = $1', [devEui]),
        countersOf(devEui),
      ])
      expect(readingRows).toMatchObject(
        readings.map(({ at, temperature, humidity, battery, fault }) => ({
          atMs: at === undefined ? networkAtMs : Date.parse(at),
          source: at === undefined ? 'network' : 'device',
          temperature: stored(temperature),
          humidity: stored(humidity),
          battery: stored(battery),
          fault: fault ?? null,
          unit: 'Cooler',
          ...SIGNALS[server],
        })),
      )
      expect(doorRows).toMatchObject(doors.map((state) => ({ atMs: networkAtMs, state, source: 'network' })))
      expect(rejectRows).toMatchObject(
        rejects.map((reason) => ({ reason, topic: sent.topic, client: USERNAME, payload: sent.payload })),
      )
      expect(counters).toEqual({
        fCnt: sent.fCnt,
        devAddr: SESSIONS[server],
        uplinkAtMs: networkAtMs,
        gaps: 0,
        resets: 0,
      })
    },
  )

  test('and nothing is stored twice or has gone missing', async () => {
    expect(await service.metric('frostguard_readings_duplicate_total')).toBe(0)
    expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
    expect(await service.metric('frostguard_door_events_imbalance')).toBe(0)
  })
}

/** As `real` holds it. */
function stored(value: number | undefined): unknown {
  return value === undefined ? null : expect.closeTo(value, 4)
}

async function countersOf(devEui: string): Promise<object | undefined> {
  const [row] = await service.query(
    `SELECT last_f_cnt::int AS "fCnt", dev_addr AS "devAddr", f_cnt_gaps AS gaps, f_cnt_resets AS resets,
       round(extract(epoch FROM last_uplink_at) * 1000)::float8 AS "uplinkAtMs"
     FROM public.lora_sensors WHERE dev_eui = $1`,
    [devEui],
  )
  return row
}

describe.each(PUBLISHED)("published by %s to FrostGuard's broker", (_server, of) => {
  beforeAll(async () => {
    await publishAll(await service.connect(USERNAME), of)
    await untilCountersWritten(of)
  })
  expectStored(of)
})

describe.skipIf(MOSQUITTO_MISSING).each(BRIDGED)(
  `published by %s to a Mosquitto that FrostGuard reads from${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  (server, of) => {
    const source = server === 'chirpstack' ? 'chirpstack' : 'things-stack'
    const metric = (name: string) => service.metric(`frostguard_source_${name}{source="${source}"}`)

    beforeAll(async () => {
      await until('it reads', async () => (await metric('connected')) === 1)
      const client = await mqtt.connectAsync(mosquitto?.url ?? '')
      await publishAll(client, of)
      await client.endAsync()
      await until(
        'all are acknowledged',
        async () => (await metric('messages_acknowledged_total')) === of.length,
      )
      await untilCountersWritten(of)
    })
    expectStored(of)
  },
)
