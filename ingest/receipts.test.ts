import { randomUUID } from 'node:crypto'
import { Client, Pool, type PoolClient } from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createBatchIds } from '../db/batches/batch-id.ts'
import { type ReceiptMark, writeBatch } from '../db/batches/write-batch.ts'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { sealBatch } from './batch.ts'
import { type Receipt, Receipts } from './receipts.ts'
import { testMessage } from './testing/messages.ts'

const SECOND_MS = 1_000

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
const nextBatchId = createBatchIds({ now: Date.now, process: 1 })
const running: Receipts[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 20, devices: 1, euiPrefix: 'a9' })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})

afterEach(async () => {
  for (const receipts of running.splice(0)) await receipts.stop()
  vi.useRealTimers()
  await pool.query('TRUNCATE pipeline.receipts, pipeline.watermarks, pipeline.ingest_batches')
})

function hubId(index: number): number {
  return fleet.hubs[index]?.id ?? 0
}

interface Given {
  publish?: (hubId: number) => Promise<void> | undefined
  settledBatchId?: () => bigint
  hasEarlierSpooled?: () => boolean
}

/** Receipts over the real database, not read yet. */
function openReceipts(given: Given = {}) {
  const published: (Receipt & { hubId: number })[] = []
  const receipts = new Receipts({
    pool,
    log: pino({ level: 'silent' }),
    gapSeconds: 300,
    now: Date.now,
    settledBatchId: given.settledBatchId ?? (() => 0n),
    hasEarlierSpooled: given.hasEarlierSpooled ?? (() => false),
    publish: (hub, receipt) => {
      const answer = given.publish ? given.publish(hub) : Promise.resolve()
      if (answer) published.push({ hubId: hub, ...receipt })
      return answer
    },
  })
  return { receipts, published }
}

/** Receipts that have been read; `crash` leaves them as they are, without a last save. */
async function startReceipts(given: Given = {}) {
  const { receipts, published } = openReceipts(given)
  await receipts.start()
  running.push(receipts)
  return {
    receipts,
    of: (hub: number) => published.filter((receipt) => receipt.hubId === hub),
    /** Ticks once; what it publishes has been published. */
    tick: () => vi.advanceTimersByTimeAsync(SECOND_MS),
    crash: () => {
      running.splice(running.indexOf(receipts), 1)
      vi.clearAllTimers()
    },
  }
}

async function commit(receipts: readonly ReceiptMark[], id = nextBatchId()): Promise<bigint> {
  const batch = { id, writer: randomUUID(), readings: [], doors: [], rejected: [], hubStatuses: [], receipts }
  await writeBatch(pool, batch, { statementTimeoutMs: 30_000, expectDuplicates: false })
  return id
}

async function watermark(): Promise<bigint> {
  const { rows } = await pool.query<{ batch_id: string }>('SELECT batch_id FROM pipeline.watermarks')
  return BigInt(rows[0]?.batch_id ?? 0)
}

async function kept(hub: number) {
  const { rows } = await pool.query(
    'SELECT boot, seq::int, missing FROM pipeline.receipts WHERE hub_id = $1',
    [hub],
  )
  return rows[0]
}

test('after a crash no receipt claims a message that was seen and is not durable', async () => {
  const hub = hubId(0)
  const before = await startReceipts()
  const messages = [10, 11].map((seq) => {
    const message = testMessage(fleet, [seq])
    message.receipt = before.receipts.seen({ hubId: hub, boot: 'a', seq })
    return message
  })
  await commit(sealBatch(messages.slice(1)).receipts)
  before.crash()

  const after = await startReceipts()
  await after.tick()
  expect(after.of(hub)).toEqual([])
  // The hub has no acknowledgement for it and sends it again.
  after.receipts.seen({ hubId: hub, boot: 'a', seq: 10 })
  after.receipts.durable({ hubId: hub, boot: 'a', seq: 10, first: 10 }, Date.now())
  await after.tick()
  expect(after.of(hub)).toMatchObject([{ boot: 'a', seq: 11 }])
})

test('a message that came before the receipts were read, and is not durable, holds back its hub', async () => {
  const hub = hubId(0)
  await commit([[hub, 'a', 1, 1]])
  const { receipts, published } = openReceipts()
  const [spooled, held] = [2, 3].map((seq) => receipts.seen({ hubId: hub, boot: 'a', seq }))
  if (!spooled || !held) throw new Error('both count')
  const ofNew = receipts.seen({ hubId: hub, boot: 'b', seq: 7 })
  receipts.durable(spooled, Date.now())
  await receipts.start()
  running.push(receipts)
  // Drained.
  receipts.durable({ hubId: hub, boot: 'a', seq: 2, first: 1 }, Date.now())
  receipts.durable({ hubId: hub, boot: 'a', seq: 4, first: 1 }, Date.now())
  receipts.durable({ hubId: hub, boot: 'b', seq: 8, first: 7 }, Date.now())
  for (let tick = 0; tick < 3; tick += 1) await vi.advanceTimersByTimeAsync(SECOND_MS)
  expect(published.map(({ boot, seq }) => `${boot} ${seq}`).at(-1)).toBe('a 2')
  expect(held.first).toBe(1)
  expect(ofNew?.first).toBe(7)
  receipts.durable(held, Date.now())
  await vi.advanceTimersByTimeAsync(SECOND_MS)
  expect(published.at(-1)).toMatchObject({ boot: 'a', seq: 4 })
})

test('receipts that were never read are not kept: what arrived is in the spool', async () => {
  const last = await commit([[hubId(0), 'a', 1, 1]])
  const { receipts } = openReceipts()
  const message = receipts.seen({ hubId: hubId(0), boot: 'a', seq: 5 })
  if (message) receipts.durable(message, Date.now())
  await receipts.stop()
  expect(await watermark()).toBeLessThan(last)
  expect(await kept(hubId(0))).toBeUndefined()
})

test('ledger rows of early versions, without the first counter, are gone on from', async () => {
  await commit([[hubId(0), 'a', 4]])
  await commit([[hubId(0), 'a', 5]])
  const { tick, of } = await startReceipts()
  await tick()
  expect(of(hubId(0))).toMatchObject([{ boot: 'a', seq: 5 }])
})

test('the ledger is replayed page by page, to its end', async () => {
  const marks = (seq: number): ReceiptMark[] => [[hubId(0), 'a', seq, 0]]
  for (let seq = 0; seq < 450; seq++) await commit(seq % 2 === 0 ? [] : marks(seq - 1).concat(marks(seq)))
  const { tick, of } = await startReceipts()
  await tick()
  expect(of(hubId(0))).toMatchObject([{ seq: 449 }])
})

test('what was replayed is not replayed again', async () => {
  const last = await commit([[hubId(0), 'a', 1, 1]])
  const first = await startReceipts()
  await first.receipts.stop()
  expect(await watermark()).toBe(last)
})

test('the watermark follows a ledger without receipts once a minute and at the stop', async () => {
  let settled = 0n
  const { receipts } = await startReceipts({ settledBatchId: () => settled })
  settled = await commit([])
  const once = settled
  await vi.advanceTimersByTimeAsync(59 * SECOND_MS)
  expect(await watermark()).toBe(0n)
  await vi.advanceTimersByTimeAsync(SECOND_MS)
  await until('the watermark moves', async () => (await watermark()) === once)
  settled = await commit([])
  await receipts.stop()
  expect(await watermark()).toBe(settled)
})

test('what is drained under an old id is told after a crash, although newer batches were noted before', async () => {
  const hub = hubId(0)
  const spooledId = nextBatchId()
  const settled = await commit([[hub, 'a', 1, 1]])
  const before = await startReceipts({ settledBatchId: () => settled, hasEarlierSpooled: () => true })
  before.receipts.durable({ hubId: hub, boot: 'a', seq: 3, first: 1 }, Date.now())
  await before.tick()
  await until('its receipt is kept', async () => (await kept(hub)) !== undefined)
  // Drained, and killed before the receipts are kept again.
  await commit([[hub, 'a', 2, 1]], spooledId)
  before.crash()
  const after = await startReceipts()
  await after.tick()
  expect(after.of(hub)).toMatchObject([{ boot: 'a', seq: 3 }])
})

test('when that has left the spool the watermark goes on, and what another process committed of it is noted', async () => {
  const hub = hubId(0)
  const spooledId = nextBatchId()
  const settled = await commit([[hub, 'a', 1, 1]])
  let hasEarlierSpooled = true
  const { receipts, tick, of } = await startReceipts({
    settledBatchId: () => settled,
    hasEarlierSpooled: () => hasEarlierSpooled,
  })
  await tick()
  expect(await watermark()).toBeLessThan(spooledId)
  await commit([[hub, 'a', 2, 1]], spooledId)
  hasEarlierSpooled = false
  await receipts.stop()
  expect(await watermark()).toBe(settled)
  expect(await kept(hub)).toMatchObject({ seq: 2 })
  expect(of(hub).at(-1)).toMatchObject({ seq: 1 })
})

test('the boot that is durable last gets its receipt, whichever was heard of first; its one stays retained', async () => {
  const hub = hubId(0)
  const { receipts, tick, of } = await startReceipts()
  const durable = (boot: string, seq: number, first: number) =>
    receipts.durable({ hubId: hub, boot, seq, first }, Date.now())
  durable('b', 5, 5)
  await tick()
  durable('a', 0, 0)
  await tick()
  durable('b', 6, 5)
  durable('a', 1, 0)
  durable('b', 7, 5)
  for (let n = 0; n < 5; n++) await tick()
  const sent = of(hub).map(({ boot, seq }) => `${boot}:${seq}`)
  expect(sent.slice(0, 2)).toEqual(['b:5', 'a:0'])
  expect(sent).toContain('a:1')
  expect(sent.at(-1)).toBe('b:7')
  expect(sent.length).toBeLessThanOrEqual(5)
  await receipts.stop()
  expect(await kept(hub)).toEqual({ boot: 'b', seq: 7, missing: [] })
})

test('a receipt that the broker refuses, or whose hub is not known yet, goes out later', async () => {
  const answers = [() => Promise.reject(new Error('full')), () => undefined]
  const { receipts, tick, of } = await startReceipts({
    publish: () => (answers.shift() ?? (() => Promise.resolve()))(),
  })
  receipts.durable({ hubId: hubId(0), boot: 'a', seq: 1, first: 1 }, Date.now())
  for (let n = 0; n < 4; n++) await tick()
  expect(of(hubId(0))).toHaveLength(2)
})

test('a long gap is kept and told as a pair, also after a restart', async () => {
  const hub = hubId(0)
  const first = await startReceipts()
  first.receipts.durable({ hubId: hub, boot: 'a', seq: 0, first: 0 }, 0)
  first.receipts.durable({ hubId: hub, boot: 'a', seq: 5_000, first: 0 }, 0)
  await first.tick()
  await first.receipts.stop()
  expect(await kept(hub)).toEqual({ boot: 'a', seq: 5_000, missing: [[1, 4_999]] })
  const second = await startReceipts()
  await second.tick()
  expect(second.of(hub)).toMatchObject([{ seq: 5_000, missing: [[1, 4_999]] }])
})

/** A transaction that holds locks while the test does something; it ends in any case. */
async function holding(
  sql: string,
  values: unknown[],
  work: (locker: PoolClient) => Promise<void>,
): Promise<void> {
  const locker = await pool.connect()
  try {
    await locker.query('BEGIN')
    await locker.query(sql, values)
    await work(locker)
  } finally {
    await locker.query('ROLLBACK')
    locker.release()
  }
}

async function waitingForLocks(): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

test('while the database hangs one save is under way, and stop tries once more', async () => {
  const { receipts, tick } = await startReceipts()
  const saves = vi.spyOn(Client.prototype, 'query')
  let stopped: Promise<void> | undefined
  await holding('LOCK TABLE pipeline.receipts', [], async () => {
    for (let seq = 1; seq <= 5; seq++) {
      receipts.durable({ hubId: hubId(0), boot: 'a', seq, first: 1 }, Date.now())
      await tick()
    }
    await until('the save waits', async () => (await waitingForLocks()) > 0)
    stopped = receipts.stop()
  })
  await stopped
  const texts = saves.mock.calls.map(([text]) => String(text))
  saves.mockRestore()
  expect(texts.filter((text) => text.includes('INSERT INTO pipeline.receipts'))).toHaveLength(2)
  expect(await kept(hubId(0))).toMatchObject({ seq: 5 })
})

test('receipts lock their hubs in order of ids: no deadlock with whoever locks hubs in that order', async () => {
  const { receipts, tick } = await startReceipts()
  const hubs = fleet.hubs.map(({ id }) => id).sort((a, b) => b - a)
  const [last, first] = [hubs[0] ?? 0, hubs.at(-1) ?? 0]
  // Neither the order in which they are noted nor that of the table's pages is the order of ids.
  for (const id of hubs) receipts.durable({ hubId: id, boot: 'a', seq: 1, first: 1 }, Date.now())
  await pool.query('UPDATE public.hubs SET name = name WHERE id = $1', [first])
  await holding('SELECT id FROM public.hubs WHERE id = $1 FOR UPDATE', [first], async (locker) => {
    await tick()
    await until('the save waits', async () => (await waitingForLocks()) > 0)
    // Had the save begun with another hub, it would hold that one now.
    await locker.query('SELECT id FROM public.hubs WHERE id = $1 FOR UPDATE NOWAIT', [last])
  })
  await until('they are kept', async () => (await kept(last)) !== undefined)
})

test('the last receipt of a stop comes a second after the one before it', async () => {
  const hub = hubId(0)
  const { receipts, tick, of } = await startReceipts()
  for (const seq of [1, 2]) {
    const message = receipts.seen({ hubId: hub, boot: 'a', seq })
    if (message) receipts.durable(message, Date.now())
    if (seq === 1) await tick()
    else await receipts.stop()
  }
  const [first, last] = of(hub)
  expect([first?.seq, last?.seq]).toEqual([1, 2])
  // Timers and the clock of receipts are rounded to milliseconds.
  expect((last?.time ?? 0) - (first?.time ?? 0)).toBeGreaterThanOrEqual(SECOND_MS - 5)
})
