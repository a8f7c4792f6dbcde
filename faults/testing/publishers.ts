import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import type { TestFleet } from '../../db/testing/fleet.ts'
import { TEST_SECRET } from '../../db/testing/fleet.ts'

/** What a load of publishers has sent, and what was acknowledged: keys of device and time. */
export interface Ledger {
  attempted: Set<string>
  acknowledged: Set<string>
}

export interface Publishers {
  /** Makes no new readings; resolves when all are acknowledged. */
  stop(): Promise<void>
  /** Ends at once, whatever waits for a PUBACK: after a test that has failed they would publish for ever. */
  breakOff(): void
}

const RESEND_MS = 50

export function readingKey(devEui: string, atMs: number): string {
  return `${devEui}@${atMs}`
}

/**
 * One MQTT client per hub that publishes a message of readings every few milliseconds with QoS 1, reconnects when it
 * is cut off, and sends again what was not acknowledged (MQTT.js does, with DUP).
 */
export function startPublishers(options: {
  fleet: TestFleet
  /** Asked at every connect: the service may come back on another port. */
  port: () => number
  readingsPerMessage: number
  everyMs: number
  /** The time of the first reading; each message takes the next millisecond. */
  fromMs?: number
  ledger: Ledger
}): Publishers {
  const { fleet, ledger, readingsPerMessage } = options
  const waiting = new Set<Promise<void>>()
  const brokenOff = new AbortController()
  let atMs = options.fromMs ?? Date.UTC(2026, 10, 20)
  const clients = fleet.hubs.map(({ key }) => {
    const client = mqtt.connect({
      host: '127.0.0.1',
      port: options.port(),
      username: key,
      password: TEST_SECRET,
      clientId: key,
      clean: false,
      reconnectPeriod: 50,
      // Also after "unavailable", as when a log-in was not checked in time: by default MQTT.js gives up for good then.
      reconnectOnConnackError: true,
      connectTimeout: 5_000,
    })
    client.on('error', () => {})
    client.on('close', () => {
      client.options.port = options.port()
    })
    return { client, key }
  })
  const publish = () => {
    for (const [index, { client, key }] of clients.entries()) {
      atMs += 1
      const readings = Array.from({ length: readingsPerMessage }, (_, n) => {
        const device = fleet.devices[(index * readingsPerMessage + n) % fleet.devices.length]
        return { device: device?.devEui ?? '', at: atMs, temperature: 4 }
      })
      const keys = readings.map(({ device, at }) => readingKey(device, at))
      for (const sent of keys) ledger.attempted.add(sent)
      const message = { topic: `v1/hubs/${key}/readings`, payload: JSON.stringify({ readings }) }
      const done = publishUntilAcknowledged(client, message, brokenOff.signal).then((isAcknowledged) => {
        if (!isAcknowledged) return
        for (const sent of keys) ledger.acknowledged.add(sent)
      })
      waiting.add(done)
      void done.finally(() => waiting.delete(done))
    }
  }
  const timer = setInterval(publish, options.everyMs)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(waiting)
      await Promise.all(clients.map(({ client }) => client.endAsync()))
    },
    breakOff() {
      clearInterval(timer)
      brokenOff.abort()
      for (const { client } of clients) client.end(true)
    },
  }
}

/**
 * MQTT.js gives a publish up when the connection ends while it sends its store again; a hub would not. Resolves to false where it
 * was broken off.
 */
async function publishUntilAcknowledged(
  client: MqttClient,
  { topic, payload }: { topic: string; payload: string },
  brokenOff: AbortSignal,
): Promise<boolean> {
  while (!brokenOff.aborted) {
    try {
      await client.publishAsync(topic, payload, { qos: 1 })
      return true
    } catch {
      await sleep(RESEND_MS)
    }
  }
  return false
}
