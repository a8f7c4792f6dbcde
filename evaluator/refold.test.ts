import { setImmediate as nextTurn } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import { describe, expect, test } from 'vitest'
import { Random } from '../simulators/random.ts'
import { randomSeed } from '../simulators/testing/rates.ts'
import { isStateOf, newDeviceState } from './core/device.ts'
import { fold } from './core/fold.ts'
import type { ReadingInput } from './core/types.ts'
import { BEFORE_ROWS_MAX, type DeviceReader, refold } from './refold.ts'
import { above, every, judgingOf, readingAt } from './testing/judging.ts'
import { randomJudging, randomReadings } from './testing/random-device.ts'

const INTERVAL_S = 300
const SEED = randomSeed()
const DEVICES = 200

/** Reads from these rows, in order, as the database does. */
function readerOf(rows: readonly ReadingInput[], pageRows = 2_000): DeviceReader {
  return {
    timeOfLast: async (count, beforeMs) => rows.filter(({ atMs }) => atMs < beforeMs).at(-count)?.atMs,
    pages: async function* ({ fromMs, toMs }) {
      const within = rows.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      for (let start = 0; start < within.length; start += pageRows)
        yield within.slice(start, start + pageRows)
    },
    isHeld: () => false,
  }
}

test('where a device has been out for more rows than are read, what was found before them is not forgotten', async () => {
  const early = every(INTERVAL_S, [3, 3, 9, 9, 9, 9, 3, 3])
  const out = every(INTERVAL_S, Array<number>(BEFORE_ROWS_MAX).fill(9), early.length * INTERVAL_S)
  const rows = [...early, ...out]
  const lateMs = rows.at(-1)?.atMs ?? 0
  const refolded = await refold(readerOf(rows), judgingOf(above(5, 600)), {
    late: { fromMs: lateMs, toMs: lateMs },
    judgedToMs: lateMs,
  })
  expect(refolded.afterMs).toBe(rows.at(-1 - BEFORE_ROWS_MAX)?.atMs)
  expect(refolded.episodes).toMatchObject([{ endedAtMs: null }])
})

test(`says of its time what a fold of all rows says, whatever was late and in pages of any size, seed ${SEED}`, async () => {
  let settled = 0
  for (let seed = SEED; seed < SEED + DEVICES; seed += 1) {
    const random = new Random(seed)
    const rows = randomReadings(random)
    const judging = randomJudging(random, rows)
    const [from, to] = [random.integer(0, rows.length - 1), random.integer(0, rows.length - 1)]
    const [fromMs = 0, toMs = 0] = [rows[Math.min(from, to)]?.atMs, rows[Math.max(from, to)]?.atMs]
    const judgedToMs = rows.at(-1)?.atMs ?? 0
    const reader = readerOf(rows, random.integer(1, 60))
    const refolded = await refold(reader, judging, { late: { fromMs, toMs }, judgedToMs })
    const whole = fold(rows, judging)
    const ofThen = whole.episodes.filter(
      ({ triggeredAtMs }) => triggeredAtMs > refolded.afterMs && triggeredAtMs <= refolded.toMs,
    )
    expect(refolded.episodes, `seed ${seed}`).toEqual(ofThen)
    expect(refolded.afterMs, `seed ${seed}`).toBeLessThan(fromMs)
    if (refolded.state) expect(refolded.toMs, `seed ${seed}`).toBe(Infinity)
    else {
      settled += 1
      expect(refolded.toMs, `seed ${seed}`).toBeGreaterThan(toMs)
    }
  }
  expect(settled).toBeGreaterThan(DEVICES / 20)
})

test('a state of other rules is replaced, also where rows behind it would settle', async () => {
  const rows = every(INTERVAL_S, Array<number>(3_000).fill(3))
  const judging = judgingOf(above(5, 600))
  const judgedToMs = rows[9]?.atMs ?? 0
  const { state } = await refold(readerOf(rows), judging, {
    late: { fromMs: judgedToMs, toMs: judgedToMs },
    judgedToMs,
  })
  expect(state && isStateOf(state, judging.unit)).toBe(true)
  expect(state?.atMs).toBe(rows.at(-1)?.atMs)
})

describe('a device with a million rows', () => {
  const ROWS = 1_000_000
  const PAGE = 10_000
  /** Most of what a million rows would take. */
  const HEAP_BYTES_MAX = 30_000_000

  test('is folded beside other work, and not held in memory', async () => {
    v8.setFlagsFromString('--expose-gc')
    const collect = vm.runInNewContext('gc') as () => void
    const heapBytes = () => {
      collect()
      return process.memoryUsage().heapUsed
    }
    const atFirst = heapBytes()
    let atMost = 0
    let page = 0
    const reader: DeviceReader = {
      timeOfLast: async () => undefined,
      pages: async function* ({ fromMs }) {
        if (fromMs < 0) return
        for (; page < ROWS / PAGE; page += 1) {
          if (page % 20 === 19) atMost = Math.max(atMost, heapBytes())
          // Never good twice: it is out from the beginning to the end.
          yield Array.from({ length: PAGE }, (_, i) =>
            readingAt((page * PAGE + i) * INTERVAL_S, { temperatureCenti: 900 }),
          )
        }
      },
      isHeld: () => false,
    }
    let isFolding = true
    let turns = 0
    const beside = (async () => {
      for (; isFolding; turns += 1) await nextTurn()
    })()
    const late = { fromMs: 0, toMs: 0 }
    const { state, episodes } = await refold(reader, judgingOf(above(5, 600)), {
      late,
      judgedToMs: newDeviceState().atMs,
    })
    isFolding = false
    await beside
    expect(state?.atMs).toBe((ROWS - 1) * INTERVAL_S * 1_000)
    expect(episodes).toMatchObject([{ startedAtMs: 0, endedAtMs: null }])
    expect(atMost - atFirst).toBeLessThan(HEAP_BYTES_MAX)
    // Others had their turn at least once in a thousand rows.
    expect(turns).toBeGreaterThan(ROWS / 1_000)
  })
})
