import { Client } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openCursor } from '../db/evaluation/cursor.ts'
import { until } from '../db/testing/poll.ts'
import { LedgerReader } from './ledger-reader.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './testing/evaluated-fleet.ts'
import { isShown, untilShown } from './testing/ledger-shown.ts'
import { readsOf } from './testing/reads.ts'

const ROWS = 60
const BATCHES = 6

let fleet: EvaluatedFleet
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 60 })
})
afterAll(() => fleet.close())

/** A transaction that somebody has left open, with an identity of its own. */
async function leaveOpen(): Promise<Client> {
  const client = new Client({ connectionString: fleet.url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('BEGIN; SELECT pg_current_xact_id()')
  return client
}

test('shows each batch once, a page of so many rows at a time, and not what was handed over', async () => {
  const pool = fleet.db.$client
  const { cursor } = await openCursor(pool, 'pages')
  const ids: bigint[] = []
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const readings = Array.from({ length: ROWS }, (_, row) => [batch + row / ROWS, 4] as const)
    ids.push((await fleet.commit(readings)).id)
  }
  await untilShown(fleet.db.$client)
  const reader = new LedgerReader(cursor, ROWS * 2 + 1)
  const [first = 0n, second = 0n, third = 0n, ...others] = ids
  // Those cost nothing: they are not read.
  expect(reader.takeHanded(second)).toBe(true)
  const page = () => reader.next(readsOf(pool).once, () => false)
  const shown = async () => {
    const { batches, isFull } = await page()
    return { ids: batches.map(({ id }) => id), isFull }
  }
  expect(await shown()).toEqual({ ids: [first, third], isFull: true })
  expect(reader.shownId).toBe(third)
  expect(await shown()).toEqual({ ids: others.slice(0, 2), isFull: true })
  expect(await shown()).toEqual({ ids: others.slice(2), isFull: false })
  expect(await shown()).toEqual({ ids: [], isFull: false })
  // Shown before it was handed over: it has been judged.
  expect(reader.takeHanded(third)).toBe(false)
})

test('one batch that is larger than a page is a page', async () => {
  const pool = fleet.db.$client
  const { cursor } = await openCursor(pool, 'large')
  const { id } = await fleet.commit(Array.from({ length: ROWS }, (_, row) => [30 + row / ROWS, 4] as const))
  await untilShown(fleet.db.$client)
  const reader = new LedgerReader(cursor, 1)
  const pages: bigint[][] = []
  for (let isFull = true; isFull; ) {
    const news = await reader.next(readsOf(pool).once, () => false)
    pages.push(news.batches.map((batch) => batch.id))
    isFull = news.isFull
  }
  expect(pages.at(-1)).toEqual([id])
  expect(pages.every(({ length }) => length === 1)).toBe(true)
})

test('behind a transaction that is left open each batch is shown once, and not again when that ends', async () => {
  const pool = fleet.db.$client
  await untilShown(fleet.db.$client)
  const { cursor } = await openCursor(pool, 'held back')
  const reader = new LedgerReader(cursor, ROWS, { settleMs: 100 })
  const shown: bigint[] = []
  const look = async () => {
    const news = await reader.next(readsOf(pool).once, () => false)
    shown.push(...news.batches.map(({ id }) => id))
    return news
  }
  while ((await look()).batches.length > 0);
  shown.length = 0

  const idle = await leaveOpen()
  const committed: bigint[] = []
  const commit = async (minute: number) => {
    const { id } = await fleet.commit(
      Array.from({ length: ROWS }, (_, row) => [minute + row / ROWS, 4] as const),
    )
    committed.push(id)
    return id
  }
  for (const minute of [40, 41, 42]) await commit(minute)
  const handed = await commit(43)
  expect(reader.takeHanded(handed)).toBe(true)
  await until(
    'all that was not handed over is shown',
    async () => (await look()).batches.length === 0 && shown.length >= 3,
  )
  // In flight while the one after it is looked at.
  const flight = await leaveOpen()
  await flight.query('INSERT INTO pipeline.ingest_batches (id, readings) VALUES (1, 1)')
  await commit(44)
  await until('the one after it is shown', async () => (await look()).batches.length > 0)
  await flight.query('COMMIT')
  committed.push(1n)
  await until('it is shown', async () => (await look()).batches.length > 0)
  const expected = committed.filter((id) => id !== handed)
  expect(shown).toEqual(expected)
  expect(reader.takeHanded(expected[0] ?? 0n)).toBe(false)

  const cursorHeld = reader.cursor

  await idle.query('ROLLBACK')
  await until('the cursor has passed them', async () => {
    await look()
    return reader.cursor.batchId !== cursorHeld.batchId && (await isShown(fleet.db.$client))
  })
  expect(shown).toEqual(expected)
})

test('says up to when all is read that was committed', async () => {
  const pool = fleet.db.$client
  await untilShown(pool)
  const { cursor } = await openCursor(pool, 'heard')
  const reader = new LedgerReader(cursor, ROWS, { settleMs: 100 })
  let awaited = -1n
  const heardToMs = async () => (await reader.next(readsOf(pool).once, (id) => id === awaited)).heardToMs
  const untilAllIs = async (words: string) => {
    const sinceMs = Date.now()
    await until(words, async () => (await heardToMs()) >= sinceMs)
  }
  const committed = async (minute: number) => {
    const { id } = await fleet.commit([[minute, 4]])
    return { id, atMs: Date.now() }
  }
  await untilAllIs('what was committed before is read')

  const handed = await committed(50)
  awaited = handed.id
  expect(await heardToMs()).toBeLessThanOrEqual(handed.atMs)
  reader.takeHanded(handed.id)
  await untilAllIs('what is handed over is read')

  const idle = await leaveOpen()
  const hidden = await committed(51)
  expect(await heardToMs()).toBeLessThanOrEqual(hidden.atMs)
  reader.takeHanded(hidden.id)
  await untilAllIs('what is hidden is handed over')
  // More than are asked for at once.
  await pool.query(
    `INSERT INTO pipeline.ingest_batches (id, readings) SELECT id, 1 FROM generate_series(1000, 1300) AS given (id)`,
  )
  const atMs = Date.now()
  expect(await heardToMs()).toBeLessThanOrEqual(atMs)
  await untilAllIs('what is hidden is read')
  await idle.query('ROLLBACK')
  await untilAllIs('all is shown')
})
