/** A flood against a process with a heap of 96 MB: it slows the senders down and lives. */
import { afterEach, expect, test } from 'vitest'
import { closeAll, logInRaw, publishPacket, type RawClient } from '../broker/testing.ts'
import { TEST_SECRET } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { type LoadedService, startLoadedService } from './testing/loaded-service.ts'
import { untilSettled } from './testing/settled.ts'

const HELD_BYTES_MAX = 16 * 1024 * 1024
/** What a flooding hub writes beyond what its socket takes. */
const WRITTEN_BYTES = 300_000
const READINGS = 50
const FLOOD_FROM = Date.UTC(2025, 0, 1)
const FLOOD_TO = Date.UTC(2025, 1, 1)

let service: LoadedService
let atMs = FLOOD_FROM

afterEach(async () => {
  await closeAll()
  await service.close()
})

/** A hub that publishes as fast as its socket takes it, each message with a time of its own. */
class FloodingHub {
  readonly client: RawClient
  readonly #key: string
  readonly #sentAtMs: number[] = []

  constructor(client: RawClient, key: string) {
    this.client = client
    this.#key = key
  }

  send(): void {
    while (!this.client.closed && this.client.stream.writableLength < WRITTEN_BYTES) {
      atMs += 1
      const devices = service.fleet.devices.slice(0, READINGS)
      const readings = devices.map(({ devEui }) => ({ device: devEui, at: atMs, temperature: 4 }))
      const messageId = this.#sentAtMs.push(atMs)
      const topic = `v1/hubs/${this.#key}/readings`
      this.client.send(publishPacket({ topic, messageId, payload: JSON.stringify(readings) }))
    }
  }

  /** The times of the messages that were acknowledged: always the first ones. */
  acknowledged(): number[] {
    return this.#sentAtMs.slice(0, this.client.all('puback').length)
  }
}

async function connectFloodingHubs(): Promise<FloodingHub[]> {
  const connect = async ({ key }: { key: string }) => {
    const fields = { username: key, password: Buffer.from(TEST_SECRET), clientId: `floods ${key}` }
    return new FloodingHub(await logInRaw(service.mqttPort, fields), key)
  }
  return Promise.all(service.fleet.hubs.map(connect))
}

async function floodUntilAllWait(hubs: readonly FloodingHub[]): Promise<void> {
  const flood = setInterval(() => {
    for (const hub of hubs) hub.send()
  }, 20)
  try {
    await until(
      'all of them wait',
      async () => (await service.metric('frostguard_broker_connections_waiting')) >= hubs.length,
    )
  } finally {
    clearInterval(flood)
  }
  expect(await service.metric('frostguard_broker_held_bytes')).toBeLessThanOrEqual(HELD_BYTES_MAX)
  expect(hubs.flatMap((hub) => hub.acknowledged())).toEqual([])
}

test('hubs wait, nothing acknowledged is lost, and the process is still the same', async () => {
  service = await startLoadedService({
    fleet: { hubs: 30, devices: 60 },
    env: {
      NODE_OPTIONS: '--max-old-space-size=96',
      MQTT_HELD_BYTES_MAX: String(HELD_BYTES_MAX),
      INGEST_HOLD_MS: '60000',
    },
  })
  const load = service.load({ readingsPerMessage: 2, everyMs: 500 })
  await service.acknowledges(50)
  const locker = await service.owner.connect()
  let hubs: FloodingHub[]
  try {
    await locker.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
    hubs = await connectFloodingHubs()
    await floodUntilAllWait(hubs)
    await locker.query('ROLLBACK')
  } finally {
    locker.release()
  }
  await until('each goes on', () => hubs.every((hub) => hub.acknowledged().length >= 5))
  expect(hubs.filter(({ client }) => client.closed)).toEqual([])
  for (const { client } of hubs) await client.close()
  await load.stop()
  await untilSettled(service)
  expect(await service.compare()).toMatchObject({ lost: [], storedTwice: [] })
  const { rows } = await service.owner.query<{ at: number; readings: number }>(
    `SELECT round(extract(epoch FROM recorded_at) * 1000)::float8 AS at, count(*)::int AS readings
     FROM sensor_readings WHERE recorded_at BETWEEN $1 AND $2 GROUP BY 1`,
    [new Date(FLOOD_FROM), new Date(FLOOD_TO)],
  )
  const readingsAt = new Map(rows.map(({ at, readings }) => [at, readings]))
  const acknowledged = hubs.flatMap((hub) => hub.acknowledged())
  expect(acknowledged.filter((at) => readingsAt.get(at) !== READINGS)).toEqual([])
  expect(service.hasEnded).toBe(false)
})
