import { expect, test } from 'vitest'
import { inRounds } from './rounds.ts'
import type { Arrival, Work } from './work.ts'

test('takes a unit further when what was found of it is written, and others meanwhile', async () => {
  const steps: string[] = []
  await inRounds(workOf({ 1: 3, 2: 1 }), {
    take(unitId, arrivals) {
      steps.push(`${unitId}: 1 of ${arrivals.length}`)
      return 1
    },
    async write(held) {
      steps.push(`write, then ${[...held.keys()]}`)
    },
  })
  expect(steps).toEqual([
    '1: 1 of 3',
    '2: 1 of 1',
    'write, then 1',
    '1: 1 of 2',
    'write, then 1',
    '1: 1 of 1',
  ])
})

test('writes 63 times between at most; then the rest goes together', async () => {
  let writes = 0
  let readings = 0
  await inRounds(workOf({ 1: 1_000 }), {
    take(_, [arrival]) {
      readings += arrival?.readings.length ?? 0
      return 1
    },
    async write() {
      writes += 1
    },
  })
  expect([writes, readings]).toEqual([63, 1_000])
})

test('a storm of units is written between once, then goes together', async () => {
  let writes = 0
  const units = Object.fromEntries(Array.from({ length: 5_000 }, (_, unitId) => [unitId, 4]))
  await inRounds(workOf(units), {
    take: () => 1,
    async write() {
      writes += 1
    },
  })
  expect(writes).toBe(1)
})

function workOf(counts: Readonly<Record<number, number>>): Work {
  return new Map(
    Object.entries(counts).map(([unitId, count]) => [Number(unitId), Array.from({ length: count }, arrival)]),
  )
}

function arrival(_: unknown, index: number): Arrival {
  return {
    message: index,
    arrivedAtMs: index,
    readings: [
      {
        kind: 'reading',
        deviceId: 1,
        atMs: index,
        recordedAtMs: index,
        receivedAtMs: index,
        temperatureCenti: 400,
        battery: null,
        fault: null,
      },
    ],
    doors: [],
  }
}
