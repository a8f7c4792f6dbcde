import { expect, test } from 'vitest'
import { START_MS } from '../testing/messages.ts'
import { randomSeed, ratesWith } from '../testing/rates.ts'
import type { FaultRates } from '../types.ts'
import { noFaults } from './fault-counts.ts'
import { type Interruption, Interruptions } from './interruptions.ts'

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const seed = randomSeed()

/** What happens in so many hours, looked at every second. */
function happened(rates: Partial<FaultRates>, hours: number) {
  const counts = noFaults()
  const options = { seed, publisher: 'hub-1', rates: ratesWith(rates), counts, startMs: START_MS }
  const interruptions = new Interruptions(options)
  const events: (Interruption & { atMs: number })[] = []
  for (let atMs = START_MS; atMs < START_MS + hours * HOUR_MS; atMs += SECOND_MS) {
    for (const event of interruptions.due(atMs)) events.push({ ...event, atMs })
  }
  return { events, counts }
}

test('without rates nothing happens', () => {
  expect(happened({}, 10).events).toEqual([])
})

test(`reboots come at their rate, half of them with the memory lost (seed ${seed})`, () => {
  const { events, counts } = happened({ reboot: 2 }, 200)
  expect(events.length).toBe(counts.reboot)
  expect(events.length).toBeGreaterThan(300)
  expect(events.length).toBeLessThan(500)
  const reboots = events.flatMap((event) => (event.kind === 'reboot' ? [event] : []))
  expect(reboots).toHaveLength(events.length)
  for (const { downMs } of reboots) expect(downMs).toBeGreaterThanOrEqual(2_000)
  for (const { downMs } of reboots) expect(downMs).toBeLessThanOrEqual(20_000)
  const kept = reboots.filter(({ keepsBuffer }) => keepsBuffer).length
  expect(Math.min(kept, reboots.length - kept)).toBeGreaterThan(100)
  expect(new Set(events.map(({ moment }) => moment)).size).toBe(3)
})

test(`flapping is several cuts within a minute (seed ${seed})`, () => {
  const { events, counts } = happened({ flapping: 1 }, 200)
  expect(counts.flapping).toBeGreaterThan(130)
  expect(counts.flapping).toBeLessThan(270)
  expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(['cut']))
  const bouts: number[][] = []
  for (const { atMs } of events) {
    const bout = bouts.at(-1)
    if (bout && atMs - (bout[0] ?? 0) <= 61_000) bout.push(atMs)
    else bouts.push([atMs])
  }
  // Cuts within the same second are seen as one, and two bouts may meet.
  expect(bouts.filter((bout) => bout.length >= 2).length).toBeGreaterThan(bouts.length * 0.9)
  expect(Math.max(...bouts.map((bout) => bout.length))).toBeGreaterThan(4)
})
