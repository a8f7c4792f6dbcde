import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import type { Pool } from 'pg'
import { TEST_SECRET, type TestFleet } from '../../db/testing/fleet.ts'

const FROM_MS = Date.UTC(2026, 10, 20)
/** Each sensor measures every ten seconds. */
export const MEASURED_EVERY_MS = 10_000

interface Hub {
  client: MqttClient
  topic: string
  devEuis: string[]
  /** Messages made so far. */
  made: number
}

/**
 * Hubs with the same number of sensors each. Message n of every hub has a reading of each of its sensors, measured at
 * time n: so the number of messages says what must be stored, without a ledger of millions of readings. A connection
 * that ends fails the publish.
 */
export class SteadyFleet {
  readonly #hubs: Hub[]

  constructor(fleet: TestFleet, port: number) {
    const sensors = fleet.devices.length / fleet.hubs.length
    this.#hubs = fleet.hubs.map(({ key }, index) => ({
      client: mqtt.connect({
        host: '127.0.0.1',
        port,
        username: key,
        password: TEST_SECRET,
        clientId: key,
        reconnectPeriod: 0,
      }),
      topic: `v1/hubs/${key}/readings`,
      devEuis: fleet.devices.slice(index * sensors, (index + 1) * sensors).map(({ devEui }) => devEui),
      made: 0,
    }))
  }

  async connected(): Promise<void> {
    await Promise.all(
      this.#hubs.map(async ({ client }) => {
        while (!client.connected) await sleep(10)
      }),
    )
  }

  /** Begins again with the first message: what follows was all published before. */
  repeat(): void {
    for (const hub of this.#hubs) hub.made = 0
  }

  /** Readings made so far. */
  get readings(): number {
    return this.#hubs.reduce((sum, { made, devEuis }) => sum + made * devEuis.length, 0)
  }

  /** Each hub publishes so many messages, `inFlight` at a time, as fast as they are acknowledged. */
  async publish(messages: number, inFlight: number): Promise<void> {
    await Promise.all(
      this.#hubs.map(async (hub) => {
        const end = hub.made + messages
        const lane = async () => {
          while (hub.made < end) await publishNext(hub)
        }
        await Promise.all(Array.from({ length: inFlight }, lane))
      }),
    )
  }

  /** Hubs publish in turn, one message every few milliseconds, until `isOver`; returns how long each PUBACK took. */
  async publishPaced(everyMs: number, isOver: () => boolean): Promise<number[]> {
    const latenciesMs: number[] = []
    const sent: Promise<void>[] = []
    const beganMs = performance.now()
    for (let count = 0; !isOver(); count += 1) {
      // Intended times: a service that is late is not sent less.
      const dueMs = beganMs + count * everyMs
      await sleep(Math.max(0, dueMs - performance.now()))
      const hub = this.#hubs[count % this.#hubs.length]
      if (!hub) throw new Error('The fleet has no hub.')
      sent.push(publishNext(hub).then(() => void latenciesMs.push(performance.now() - dueMs)))
    }
    await Promise.all(sent)
    return latenciesMs
  }

  async end(): Promise<void> {
    await Promise.all(this.#hubs.map(({ client }) => client.endAsync(true)))
  }

  /** How much is stored that was not made, or is missing: 0 and 0 when all is there. */
  async compare(pool: Pool): Promise<{ missing: number; phantom: number; stored: number }> {
    const { rows } = await pool.query<{ devEui: string; atMs: number[] }>(
      `SELECT d.device_eui AS "devEui", array_agg((extract(epoch FROM r.recorded_at) * 1000)::float8) AS "atMs"
       FROM sensor_readings r JOIN devices d ON d.id = r.device_id GROUP BY 1`,
    )
    const stored = new Map(rows.map(({ devEui, atMs }) => [devEui, atMs]))
    const total = { missing: 0, phantom: 0, stored: 0 }
    for (const { devEuis, made } of this.#hubs) {
      const expected = new Set(Array.from({ length: made }, (_, n) => FROM_MS + n * MEASURED_EVERY_MS))
      for (const devEui of devEuis) {
        const times = stored.get(devEui) ?? []
        const found = times.filter((atMs) => expected.has(atMs))
        total.stored += times.length
        total.missing += made - new Set(found).size
        // Stored twice is as wrong as never made.
        total.phantom += times.length - new Set(found).size
      }
    }
    return total
  }
}

async function publishNext(hub: Hub): Promise<void> {
  const at = FROM_MS + hub.made * MEASURED_EVERY_MS
  hub.made += 1
  const rest = { at, temperature: 3.42, humidity: 51.2, battery: 88, rssi: -91, snr: 7.5 }
  const readings = hub.devEuis.map((device) => ({ device, ...rest }))
  await hub.client.publishAsync(hub.topic, JSON.stringify({ readings }), { qos: 1 })
}
