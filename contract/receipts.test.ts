/** docs/protocol.md, "Receipts". Tests wait for receipts, so those that can run at the same time, each on its hub. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { collect, publish, type Receipt } from './testing/clients.ts'
import { northDevice, SELF_DEVICE, spareHub } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

/** `time` is the wall clock, the timer behind it is not: they may differ by a few milliseconds a second. */
const CLOCK_TOLERANCE_MS = 20
const BOOT = 'a1b2'
const device = northDevice(0)

let service: TestService
let hubs = 0

function useService(env: Record<string, string>): void {
  beforeAll(async () => {
    service = await startTestService({ env })
    hubs = 0
  })
  afterAll(() => service.close())
}

function reading() {
  return { device, at: nextTime(), temperature: 4 }
}

function openNewHub() {
  return openHub(spareHub(hubs++))
}

/** A hub that counts its messages and listens for its receipts. */
async function openHub(key: string) {
  const client = await service.connect(key)
  const receipts = await collect<Receipt>(client, `v1/hubs/${key}/receipt`)
  const newest = () => receipts.at(-1)?.json
  return {
    key,
    client,
    receipts,
    newest,
    sendRaw: (payload: unknown) => publish(client, `v1/hubs/${key}/readings`, payload),
    sendDoors: (payload: unknown) => publish(client, `v1/hubs/${key}/doors`, payload),
    async send(...seqs: number[]): Promise<void> {
      for (const seq of seqs) await this.sendRaw({ boot: BOOT, seq, readings: [reading()] })
    },
    /** The newest receipt once it says this `seq`. */
    async receiptUpTo(seq: number, boot = BOOT) {
      await until(`a receipt of ${key} up to ${seq}`, () => newest()?.boot === boot && newest()?.seq === seq)
      return newest()
    },
  }
}

describe('with the default gap', () => {
  useService({})

  test.concurrent('{"boot","seq","time"}: time is our clock, epoch milliseconds', async () => {
    const hub = await openNewHub()
    const before = Date.now()
    await hub.send(4711)
    const receipt = await hub.receiptUpTo(4711)
    expect(receipt).toEqual({ boot: BOOT, seq: 4711, time: expect.any(Number) })
    expect(receipt?.time).toBeGreaterThanOrEqual(before)
    expect(receipt?.time).toBeLessThanOrEqual(Date.now())
  })

  test.concurrent('seq is the highest such that every message from the first seen of that boot up to it is durable', async () => {
    const hub = await openNewHub()
    await hub.send(10, 11, 14)
    await hub.receiptUpTo(11)
    await hub.send(13, 12)
    expect(await hub.receiptUpTo(14)).toEqual({ boot: BOOT, seq: 14, time: expect.any(Number) })
    for (const { json } of hub.receipts) expect([10, 11, 14]).toContain(json.seq)
  })

  test.concurrent('nothing is said about messages before the first seen', async () => {
    const hub = await openNewHub()
    await hub.send(100, 40, 101)
    expect(await hub.receiptUpTo(101)).not.toHaveProperty('missing')
  })

  test.concurrent('a message counts once, however often it is sent', async () => {
    const hub = await openNewHub()
    await hub.send(1, 1, 2, 2, 1)
    await hub.receiptUpTo(2)
  })

  test.concurrent('readings and doors share the counter', async () => {
    const hub = await openNewHub()
    await hub.send(0)
    await hub.sendDoors({ boot: BOOT, seq: 1, events: [{ device, at: nextTime(), state: 'open' }] })
    await hub.send(2)
    await hub.receiptUpTo(2)
  })

  test.concurrent('a single reading and a single event count with the boot and seq that they carry', async () => {
    const hub = await openNewHub()
    await hub.sendRaw({ boot: BOOT, seq: 7, ...reading() })
    await hub.sendDoors({ boot: BOOT, seq: 8, device, at: nextTime(), state: 'closed' })
    await hub.receiptUpTo(8)
  })

  test.concurrent('rejected is durable too: a bad reading, no readings, a duplicate', async () => {
    const hub = await openNewHub()
    const repeated = [reading()]
    await hub.send(1)
    await hub.sendRaw({ boot: BOOT, seq: 2, readings: [{ device, temperature: 999 }] })
    await hub.sendRaw({ boot: BOOT, seq: 3, readings: repeated })
    await hub.sendRaw({ boot: BOOT, seq: 4, readings: repeated })
    await hub.sendRaw({ boot: BOOT, seq: 5, readings: [] })
    await hub.receiptUpTo(5)
  })

  test.concurrent('a message without boot or seq changes nothing', async () => {
    const hub = await openNewHub()
    await hub.send(1)
    await hub.sendRaw({ seq: 2, readings: [reading()] })
    await hub.sendRaw({ boot: BOOT, readings: [reading()] })
    await hub.sendRaw([reading()])
    await hub.send(3)
    await hub.receiptUpTo(1)
    await hub.send(2)
    await hub.receiptUpTo(3)
  })

  test.concurrent('a restarted hub has a new boot, whose messages are counted for themselves', async () => {
    const hub = await openNewHub()
    await hub.send(500, 501)
    await hub.receiptUpTo(501)
    await hub.sendRaw({ boot: 'again', seq: 0, readings: [reading()] })
    expect(await hub.receiptUpTo(0, 'again')).toEqual({ boot: 'again', seq: 0, time: expect.any(Number) })
  })

  test.concurrent("a device's own messages do not count for its hub", async () => {
    const hub = await openNewHub()
    await hub.send(1)
    const self = await service.connect(`device:${SELF_DEVICE}`)
    const own = { boot: BOOT, seq: 2, at: nextTime(), temperature: 1 }
    await publish(self, `v1/devices/${SELF_DEVICE}/readings`, own)
    await hub.send(3)
    await hub.receiptUpTo(1)
  })

  test.concurrent('a receipt comes after the commit, and at most once a second', async () => {
    const hub = await openNewHub()
    const stored: { seq: number; rows: number }[] = []
    const own = northDevice(1)
    hub.client.on('message', (_topic, payload) => {
      const { seq } = JSON.parse(payload.toString())
      void readingsOf(service, own).then((rows) => stored.push({ seq, rows: rows.length }))
    })
    for (let seq = 0; stored.length < 4; seq++) {
      await hub.sendRaw({ boot: BOOT, seq, readings: [{ device: own, at: nextTime(), temperature: 4 }] })
      // Steadily: many messages a second, but not as many as there could be.
      await sleep(20)
    }
    for (const { seq, rows } of stored) expect(rows).toBeGreaterThan(seq)
    const times = hub.receipts.map(({ json }) => json.time as number)
    expect(times.length).toBeGreaterThanOrEqual(4)
    for (const [index, time] of times.slice(1).entries()) {
      expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(1_000 - CLOCK_TOLERANCE_MS)
    }
  })

  test.concurrent('it is retained: who subscribes later has it too', async () => {
    const hub = await openNewHub()
    await hub.send(1, 2, 3)
    const sent = await hub.receiptUpTo(3)
    const later = await openHub(hub.key)
    await until('the retained receipt', () => later.receipts.length > 0)
    expect(later.receipts[0]).toMatchObject({ retain: true, json: sent })
  })

  test.concurrent('it is kept in the database', async () => {
    const hub = await openNewHub()
    await hub.send(1, 2)
    await hub.receiptUpTo(2)
    await until('it is kept', async () => {
      const rows = await service.query<{ boot: string; seq: number }>(
        `SELECT r.boot, r.seq::int AS seq FROM pipeline.receipts r JOIN public.hubs h ON h.id = r.hub_id
         WHERE h.key = $1`,
        [hub.key],
      )
      return rows[0]?.boot === BOOT && rows[0].seq === 2
    })
  })
})

describe('a gap older than RECEIPT_GAP_SECONDS', () => {
  useService({ RECEIPT_GAP_SECONDS: '1' })

  test.concurrent('is passed over and listed in missing', async () => {
    const hub = await openNewHub()
    await hub.send(1, 2, 5)
    expect(await hub.receiptUpTo(5)).toMatchObject({ missing: [3, 4] })
    for (const { json } of hub.receipts.slice(0, -1)) {
      expect([1, 2]).toContain(json.seq)
      expect(json).not.toHaveProperty('missing')
    }
  })

  test.concurrent('is listed until what was missing has come after all', async () => {
    const hub = await openNewHub()
    await hub.send(1, 5)
    expect(await hub.receiptUpTo(5)).toMatchObject({ missing: [2, 3, 4] })
    await hub.send(4, 2)
    await until('two of the three have come', () => hub.newest()?.missing?.length === 1)
    expect(hub.newest()).toMatchObject({ seq: 5, missing: [3] })
    await hub.send(3)
    await until('all have come', () => hub.newest()?.missing === undefined)
  })

  test.concurrent('of messages that could not be read is listed too', async () => {
    const hub = await openNewHub()
    await hub.send(1)
    await hub.sendRaw(`{"boot":"${BOOT}","seq":2,"readings":[`)
    await hub.send(3)
    expect(await hub.receiptUpTo(3)).toMatchObject({ missing: [2] })
  })
})

describe('after a restart of the service', () => {
  useService({ RECEIPT_GAP_SECONDS: '2' })

  test('receipts are republished from the database, and go on', async () => {
    const first = await openNewHub()
    const second = await openNewHub()
    await first.send(1, 3)
    await first.receiptUpTo(3)
    await second.send(1, 2, 4)
    await second.receiptUpTo(2)
    // Not yet in a receipt when the service stops.
    await second.send(3)
    await closeAll()
    await service.stop()
    await service.start()

    const firstAgain = await openHub(first.key)
    expect(await firstAgain.receiptUpTo(3)).toMatchObject({ missing: [2] })
    const secondAgain = await openHub(second.key)
    expect(await secondAgain.receiptUpTo(4)).not.toHaveProperty('missing')
    await secondAgain.send(5)
    await secondAgain.receiptUpTo(5)
  })
})
