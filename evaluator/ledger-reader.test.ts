import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCursor } from '../db/evaluation/cursor.ts'
import { LedgerReader } from './ledger-reader.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './testing/evaluated-fleet.ts'
import { untilShown } from './testing/ledger-shown.ts'
import { readsOf } from './testing/reads.ts'

const ROWS = 60
const BATCHES = 6

let fleet: EvaluatedFleet
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 60 })
})
afterAll(() => fleet.close())

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
