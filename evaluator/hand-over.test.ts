import { expect, test } from 'vitest'
import { firstBatchIdAt } from '../db/batches/batch-id.ts'
import { until } from '../db/testing/poll.ts'
import type { CommittedBatch } from '../ingest/committed.ts'
import { HandOver } from './hand-over.ts'
import { handed } from './testing/handing.ts'

const NEVER = new AbortController().signal

test('hands over batches in the order of their ids, once', () => {
  const handOver = new HandOver(100)
  handOver.open(0n)
  handOver.offer(handed(batch(2n, 2)), 0n)
  expect(handOver.take()).toEqual([])
  handOver.offer(handed(batch(1n, 1)), 2n)
  expect(handOver.take().map(({ id }) => id)).toEqual([1n, 2n])
  expect(handOver.take()).toEqual([])
})

test('a batch waits a moment for older messages of its clients, and those after it do not', async () => {
  const handOver = new HandOver(100)
  handOver.open(0n)
  let isAhead = true
  handOver.offer(handed({ ...batch(1n, 1), isAhead: () => isAhead }), 1n)
  handOver.offer(handed(batch(2n, 1)), 2n)
  expect(handOver.take().map(({ id }) => id)).toEqual([2n])
  expect(handOver.ledgerWaitMs).toBeGreaterThan(0)
  expect(handOver.waitedMs).toBeGreaterThan(0)
  isAhead = false
  expect(handOver.take().map(({ id }) => id)).toEqual([1n])
  expect(handOver.waitedMs).toBe(0)
  expect(handOver.ledgerWaitMs).toBe(0)
  handOver.offer(handed({ ...batch(3n, 1), isAhead: () => true }), 3n)
  await until('it is handed over', () => handOver.take().length > 0)
})

test('is crowded once more than half of what it has room for waits', () => {
  const handOver = new HandOver(10)
  handOver.open(0n)
  handOver.offer(handed(batch(1n, 5)), 1n)
  expect(handOver.isCrowded).toBe(false)
  handOver.offer(handed(batch(2n, 1)), 2n)
  expect(handOver.isCrowded).toBe(true)
  handOver.take()
  expect(handOver.isCrowded).toBe(false)
})

test('does not wait for ever for a batch that is not committed', async () => {
  const handOver = new HandOver(100)
  handOver.open(0n)
  handOver.offer(handed(batch(2n, 2)), 0n)
  await until('it is handed over', () => handOver.take().length > 0)
})

test('takes nothing while the evaluator reads what it has missed', () => {
  const handOver = new HandOver(100)
  handOver.offer(handed(batch(1n, 1)), 1n)
  handOver.open(0n)
  handOver.offer(handed(batch(2n, 1)), 2n)
  handOver.close()
  handOver.open(0n)
  expect(handOver.take()).toEqual([])
  expect(handOver.takeDropped()).toBe(2)
})

test('leaves to the ledger what is above its limit of rows and all after it, until the ledger has shown that', () => {
  const handOver = new HandOver(10)
  const taken = () => handOver.take().map(({ id }) => id)
  handOver.open(0n)
  for (const [id, rows] of [
    [1n, 8],
    [2n, 3],
    [3n, 2],
  ] as const)
    handOver.offer(handed(batch(id, rows)), id)
  expect(taken()).toEqual([1n])
  expect(handOver.takeDropped()).toBe(2)
  // The ledger has not shown 3 yet: what comes now would be judged before it.
  handOver.open(2n)
  handOver.offer(handed(batch(4n, 10)), 4n)
  expect(taken()).toEqual([])
  expect(handOver.ledgerWaitMs).toBe(0)
  handOver.open(3n)
  expect(handOver.ledgerWaitMs).toBeGreaterThan(0)
  expect(taken()).toEqual([4n])
  expect(handOver.takeDropped()).toBe(0)
})

test('a batch that found no room on its way here closes it, until the ledger has shown that', () => {
  const handOver = new HandOver(10)
  handOver.open(0n)
  handOver.leave(1n, 1n)
  handOver.offer(handed(batch(2n, 1)), 2n)
  handOver.open(1n)
  expect(handOver.takeDropped()).toBe(2)
  handOver.offer(handed(batch(3n, 1)), 3n)
  // 2 is missing before it.
  expect(handOver.take()).toEqual([])
  handOver.open(2n)
  expect(handOver.take().map(({ id }) => id)).toEqual([3n])
})

test('awaits what is here and what its process may have committed, and nobody else', () => {
  const nowMs = Date.UTC(2026, 10, 21)
  const ofProcess = (number: bigint, counter: bigint) => firstBatchIdAt(nowMs) | (number << 10n) | counter
  const handOver = new HandOver(10)
  expect(handOver.isAwaited(ofProcess(7n, 1n), nowMs)).toBe(false)
  handOver.open(0n)
  handOver.offer(handed(batch(ofProcess(7n, 1n), 1)), ofProcess(7n, 2n))
  handOver.landed(ofProcess(7n, 2n))
  const awaited = (counter: bigint) => handOver.isAwaited(ofProcess(7n, counter), nowMs)
  // 1 is here, 2 must be read from the ledger, 3 may be committed already.
  expect([awaited(1n), awaited(2n), awaited(3n)]).toEqual([true, false, true])
  expect(handOver.isAwaited(ofProcess(8n, 3n), nowMs)).toBe(false)
  // Begun long ago, and not settled: it was in the spool.
  expect(handOver.isAwaited(ofProcess(7n, 3n), nowMs + 1_001)).toBe(false)
  expect(handOver.take()).toHaveLength(1)
  expect(awaited(1n)).toBe(false)
  handOver.close()
  expect(awaited(3n)).toBe(false)
})

test('wakes whoever waits, also for a batch that must be read from the ledger', async () => {
  const handOver = new HandOver(100)
  const long = 100_000
  const waiting = handOver.news(long, NEVER)
  handOver.landed(0n)
  await waiting
  // What came before the call counts too.
  handOver.landed(0n)
  await handOver.news(long, NEVER)
  await handOver.news(1, NEVER)
  const end = new AbortController()
  const ending = handOver.news(long, end.signal)
  end.abort()
  await ending
})

function batch(id: bigint, rows: number): CommittedBatch {
  const row = {
    deviceId: 1,
    unitId: 1,
    organizationId: 1,
    recordedAtMs: 0,
    receivedAtMs: 0,
    temperature: 4,
    humidity: null,
    battery: null,
    rssi: null,
    snr: null,
    fault: null,
    source: 'hub' as const,
  }
  return { id, readings: Array.from({ length: rows }, () => row), doors: [] }
}
