/** docs/protocol.md, "Receipts". */
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { collect, publish, type Received } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SELF_DEVICE } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const RECEIPT = `v1/hubs/${NORTH_HUB}/receipt`
/** `time` is the wall clock, the timer behind it is not: they may differ by a few milliseconds a second. */
const CLOCK_TOLERANCE_MS = 20
const device = northDevice(0)

let service: TestService
let hub: MqttClient
let receipts: Received[]
let boots = 0
let boot: string

function useService(env: Record<string, string>): void {
  beforeAll(async () => {
    service = await startTestService({ env })
  })
  beforeEach(async () => {
    hub = await service.connect(NORTH_HUB)
    receipts = await collect(hub, RECEIPT)
    boot = `boot-${++boots}`
  })
  afterEach(closeAll)
  afterAll(() => service.close())
}

function message(seq: number) {
  return { boot, seq, readings: [{ device, at: nextTime(), temperature: 4 }] }
}

async function send(...seqs: number[]): Promise<void> {
  for (const seq of seqs) await publish(hub, READINGS, message(seq))
}

/** The newest receipt once it says this `seq` of this test's boot. */
async function receiptUpTo(seq: number) {
  const newest = () => receipts.at(-1)?.json
  await until(`a receipt up to ${seq}`, () => newest()?.boot === boot && newest()?.seq === seq)
  return newest()
}

describe('with the default gap', () => {
  useService({})

  test('{"boot","seq","time"}: time is our clock, epoch milliseconds', async () => {
    const before = Date.now()
    await send(4711)
    const receipt = await receiptUpTo(4711)
    expect(receipt).toEqual({ boot, seq: 4711, time: expect.any(Number) })
    expect(receipt.time).toBeGreaterThanOrEqual(before)
    expect(receipt.time).toBeLessThanOrEqual(Date.now())
  })

  test('seq is the highest such that every message from the first seen of that boot up to it is durable', async () => {
    await send(10, 11, 14)
    await receiptUpTo(11)
    await send(13)
    await send(12)
    expect(await receiptUpTo(14)).toEqual({ boot, seq: 14, time: expect.any(Number) })
    for (const { json } of receipts.filter((each) => each.json.boot === boot)) {
      expect([10, 11, 14]).toContain(json.seq)
    }
  })

  test('nothing is said about messages before the first seen', async () => {
    await send(100, 40, 101)
    expect(await receiptUpTo(101)).not.toHaveProperty('missing')
  })

  test('a message counts once, however often it is sent', async () => {
    await send(1, 1, 2, 2, 1)
    await receiptUpTo(2)
  })

  test('readings and doors share the counter', async () => {
    await send(0)
    await publish(hub, DOORS, { boot, seq: 1, events: [{ device, at: nextTime(), state: 'open' }] })
    await send(2)
    await receiptUpTo(2)
  })

  test('a single reading and a single event count with the boot and seq that they carry', async () => {
    await publish(hub, READINGS, { boot, seq: 7, device, at: nextTime(), temperature: 4 })
    await publish(hub, DOORS, { boot, seq: 8, device, at: nextTime(), state: 'closed' })
    await receiptUpTo(8)
  })

  test('rejected is durable too: a bad reading, no readings, a duplicate', async () => {
    const repeated = message(3)
    await send(1)
    await publish(hub, READINGS, { boot, seq: 2, readings: [{ device, temperature: 999 }] })
    await publish(hub, READINGS, repeated)
    await publish(hub, READINGS, { ...repeated, seq: 4 })
    await publish(hub, READINGS, { boot, seq: 5, readings: [] })
    await receiptUpTo(5)
  })

  test('a message without boot or seq changes nothing', async () => {
    await send(1)
    await publish(hub, READINGS, { seq: 2, readings: message(2).readings })
    await publish(hub, READINGS, { boot, readings: message(2).readings })
    await publish(hub, READINGS, message(2).readings)
    await send(2)
    await receiptUpTo(2)
  })

  test('a restarted hub has a new boot, whose messages are counted for themselves', async () => {
    await send(500, 501)
    await receiptUpTo(501)
    boot = `${boot}-restarted`
    await send(0, 1)
    expect(await receiptUpTo(1)).toEqual({ boot, seq: 1, time: expect.any(Number) })
  })

  test("a device's own messages do not count for its hub", async () => {
    await send(1)
    const self = await service.connect(`device:${SELF_DEVICE}`)
    const own = { boot, seq: 2, at: nextTime(), temperature: 1 }
    await publish(self, `v1/devices/${SELF_DEVICE}/readings`, own)
    await send(3)
    await receiptUpTo(1)
  })

  test('a receipt comes after the commit, and at most once a second', async () => {
    const stored: { seq: number; rows: number }[] = []
    const at: number[] = []
    const own = northDevice(1)
    hub.on('message', (_topic, payload) => {
      const { seq, boot: ofBoot } = JSON.parse(payload.toString())
      if (ofBoot !== boot) return
      void readingsOf(service, own).then((rows) => stored.push({ seq, rows: rows.length }))
    })
    for (let seq = 0; stored.length < 4; seq++) {
      at.push(nextTime())
      await publish(hub, READINGS, { boot, seq, readings: [{ device: own, at: at.at(-1), temperature: 4 }] })
    }
    for (const { seq, rows } of stored) expect(rows).toBeGreaterThan(seq)
    const times = receipts.filter(({ json }) => json.boot === boot).map(({ json }) => json.time as number)
    expect(times.length).toBeGreaterThanOrEqual(4)
    for (const [index, time] of times.slice(1).entries()) {
      expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(1_000 - CLOCK_TOLERANCE_MS)
    }
  })

  test('it is retained: who subscribes later has it at once', async () => {
    await send(1, 2, 3)
    const sent = await receiptUpTo(3)
    const later = await collect(await service.connect(NORTH_HUB), RECEIPT)
    await until('the retained receipt', () => later.length > 0)
    expect(later[0]).toMatchObject({ retain: true, json: sent })
  })

  test('it is kept in the database', async () => {
    await send(1, 2)
    await receiptUpTo(2)
    const kept = () =>
      service.query<{ boot: string; seq: number }>(
        `SELECT r.boot, r.seq::int AS seq FROM pipeline.receipts r JOIN public.hubs h ON h.id = r.hub_id
         WHERE h.key = $1 AND r.boot = $2`,
        [NORTH_HUB, boot],
      )
    await until('it is kept', async () => (await kept()).some(({ seq }) => seq === 2))
  })

  test('after a restart of the service it is republished from the database, and goes on', async () => {
    await send(1, 2, 4)
    await receiptUpTo(2)
    // Not yet in a receipt when the service stops.
    await send(3)
    await closeAll()
    await service.stop()
    await service.start()
    hub = await service.connect(NORTH_HUB)
    receipts = await collect(hub, RECEIPT)
    await receiptUpTo(4)
    await send(5)
    await receiptUpTo(5)
  })
})

describe('a gap older than RECEIPT_GAP_SECONDS', () => {
  useService({ RECEIPT_GAP_SECONDS: '1' })

  test('is passed over and listed in missing', async () => {
    await send(1, 2, 5)
    await receiptUpTo(2)
    expect(await receiptUpTo(5)).toMatchObject({ missing: [3, 4] })
  })

  test('is listed until what was missing has come after all', async () => {
    await send(1, 5)
    expect(await receiptUpTo(5)).toMatchObject({ missing: [2, 3, 4] })
    await send(4, 2)
    await until('two of the three have come', () => receipts.at(-1)?.json.missing?.length === 1)
    expect(receipts.at(-1)?.json).toMatchObject({ seq: 5, missing: [3] })
    await send(3)
    await until('all have come', () => receipts.at(-1)?.json.missing === undefined)
  })

  test('of messages that could not be read is listed too', async () => {
    await send(1)
    await publish(hub, READINGS, `{"boot":"${boot}","seq":2,"readings":[`)
    await send(3)
    expect(await receiptUpTo(3)).toMatchObject({ missing: [2] })
  })

  test('is still listed after a restart of the service', async () => {
    await send(1, 3)
    await receiptUpTo(3)
    await closeAll()
    await service.stop()
    await service.start()
    hub = await service.connect(NORTH_HUB)
    receipts = await collect(hub, RECEIPT)
    expect(await receiptUpTo(3)).toMatchObject({ missing: [2] })
  })
})
