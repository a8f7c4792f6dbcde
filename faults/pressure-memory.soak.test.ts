/**
 * Memory, measured after a garbage collection. What a held message takes: MQTT_HELD_BYTES_MAX must not be passed in
 * the heap either. Messages go over a socket through broker and decoders, and stay where they wait for their commit.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  publishPacket,
  type RawClient,
  startBroker,
  type TestBroker,
  until,
} from '../broker/testing.ts'
import { Crowd } from '../broker/testing-crowd.ts'
import type { DeviceRecord } from '../db/registry.ts'
import { draftMessage } from '../ingest/draft.ts'
import type { HeldMessage } from '../ingest/message.ts'
import { placeDraft } from '../ingest/place.ts'

/** What ingest tells the broker for each reading, event or reject that it holds. */
const HELD_ITEM_BYTES = 384
/** Each shape is measured with so much memory that what comes and goes beside it does not count. */
const MEASURED_BYTES = 30_000_000
const WARM_UP_PART = 0.2
const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

afterEach(closeAll)

let atMs = Date.UTC(2026, 0, 1)

function devEui(index: number): string {
  return `24e124136b50${(index % 60_000).toString(16).padStart(4, '0')}`
}

const EVER = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }

function device(eui: string): DeviceRecord {
  const id = Number.parseInt(eui.slice(8), 16)
  return { id, devEui: eui, organizationId: 1, assignments: [{ unitId: 1, siteId: 1, ...EVER }] }
}

function nextTime(): number {
  atMs += 1
  return atMs
}

function typical(index: number) {
  return {
    device: devEui(index),
    at: nextTime(),
    temperature: 3.42,
    humidity: 51.2,
    battery: 88,
    rssi: -91,
    snr: 7.5,
  }
}

function list<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => item(index))
}

/** Name, payload, and how many readings and rejects ingest makes of it. */
const SHAPES: [name: string, payload: () => string | Buffer, made: [readings: number, rejects: number]][] = [
  ['1 reading', () => JSON.stringify({ boot: 'a1b2', seq: atMs, readings: [typical(atMs)] }), [1, 0]],
  ['1 short reading', () => JSON.stringify({ device: devEui(0), battery: 1 }), [1, 0]],
  ['50 readings', () => JSON.stringify({ boot: 'a1b2', seq: atMs, readings: list(50, typical) }), [50, 0]],
  ['1,000 readings', () => JSON.stringify({ readings: list(1_000, typical) }), [1_000, 0]],
  [
    '1,000 short readings',
    () => JSON.stringify(list(1_000, (n) => ({ device: devEui(n), battery: 1 }))),
    [1_000, 0],
  ],
  ['1,000 bad readings', () => `[${list(1_000, () => '{}').join()}]`, [0, 1_000]],
  ['1,000 numbers', () => `[${list(1_000, () => '1').join()}]`, [0, 1_000]],
  ['not JSON, 10 bytes', () => Buffer.alloc(10, 0xff), [0, 1]],
  ['not JSON, 200,000 bytes', () => Buffer.alloc(200_000, 0xff), [0, 1]],
]

/** A broker whose messages are decoded as in the service, and held for ever. */
async function startHolding(): Promise<TestBroker & { held: HeldMessage[] }> {
  const held: HeldMessage[] = []
  const test = await startBroker({
    env: { MQTT_HELD_BYTES_MAX: String(4 * 1024 ** 3) },
    accept: (arrival, done) => {
      const draft = draftMessage(arrival, done)
      placeDraft(draft, {
        describe: draft.describe,
        principal: arrival.principal,
        hubSiteId: 1,
        receivedAtMs: arrival.receivedAt,
        find: device,
        arrivalTime: () => nextTime(),
      })
      held.push(draft.message)
      arrival.decodedBytes = draft.message.items * HELD_ITEM_BYTES
    },
  })
  // What the test itself would keep of each.
  test.arrivals.push = () => 0
  return { ...test, held }
}

function usedBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test.each(SHAPES)('%s: counted with at least what it takes', async (name, payload, made) => {
  const { broker, addresses, held } = await startHolding()
  const client = await logInRaw(addresses.mqtt.port)
  const fill = async (bytes: number) => {
    const from = broker.heldBytes()
    while (broker.heldBytes() < from + bytes) await sendSome(client, held, payload)
  }
  await fill(MEASURED_BYTES * WARM_UP_PART)
  expect([held[0]?.readings.length, held[0]?.rejects.length]).toEqual(made)
  const before = { used: usedBytes(), counted: broker.heldBytes(), messages: held.length }
  await fill(MEASURED_BYTES)
  const messages = held.length - before.messages
  const taken = (usedBytes() - before.used) / messages
  const counted = (broker.heldBytes() - before.counted) / messages
  process.stdout.write(
    `${name}: payload ${Buffer.byteLength(payload())} B, takes ${Math.round(taken)} B, counted with ${Math.round(counted)} B\n`,
  )
  expect(counted).toBeGreaterThan(taken * 0.95)
  expect(counted).toBeLessThan(taken * 4)
})

/** A packet's bytes at a time, so that nothing of it is left in the sockets when it is measured. */
async function sendSome(
  client: RawClient,
  held: HeldMessage[],
  payload: () => string | Buffer,
): Promise<void> {
  const goal = held.length + 20
  for (let count = 0; count < 20; count++) {
    client.send(publishPacket({ payload: payload(), messageId: 1 + ((held.length + count) % 65_000) }))
  }
  await until(() => held.length >= goal, 'they are held')
}

describe('what must not stay', () => {
  test('retained messages of 50,000 topics', async () => {
    const { broker, addresses, arrivals } = await startBroker()
    arrivals.push = () => 0
    const server = await logInRaw(addresses.mqtt.port, { username: 'ns:many' })
    const publish = async (from: number, count: number) => {
      server.send(
        ...list(count, (index) =>
          publishPacket({
            topic: `application/app-${from + index}/device/${devEui(0)}/event/up`,
            retain: true,
            messageId: 1 + from + index,
            payload: Buffer.alloc(1_000),
          }),
        ),
      )
      await until(() => server.all('puback').length === count, 'they are acknowledged')
      server.received.length = 0
    }
    await publish(0, 1_000)
    const before = usedBytes()
    for (let from = 1_000; from <= 50_000; from += 1_000) await publish(from, 1_000)
    expect(broker.counters.retainFlagsIgnored).toBe(51_000)
    // Kept, they would be 50 MB of payload alone.
    expect(usedBytes() - before).toBeLessThan(5 * MIB)
  })

  test('sessions of 50,000 client ids that subscribe and never come back', async () => {
    const { broker, addresses, presence } = await startBroker({
      env: { MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX: '100000', MQTT_CONNECTS_PER_SECOND_MAX: '100000' },
    })
    presence.push = () => 0
    const crowd = new Crowd(addresses.mqtt.port)
    const comeAndGo = async (wave: number) => {
      const password = Buffer.from('secret')
      const members = crowd.open(500, (index) => [
        connectPacket({ username: `hub-${index}`, password, clientId: `gone ${wave}`, clean: false }),
        { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `v1/hubs/hub-${index}/#`, qos: 1 }] },
      ])
      // CONNACK and SUBACK.
      await until(() => members.every(({ receivedBytes }) => receivedBytes === 9), 'they have subscribed')
      await crowd.close()
      await until(() => broker.openConnections() === 0, 'they have gone')
    }
    for (let wave = 0; wave < 6; wave++) await comeAndGo(wave)
    const before = usedBytes()
    for (let wave = 6; wave < 100; wave++) await comeAndGo(wave)
    // Four are kept of each hub.
    expect(broker.counters.sessionsForgotten).toBe(50_000 - 4 * 500)
    expect(usedBytes() - before).toBeLessThan(5 * MIB)
  })
})
