import { afterEach, expect, test } from 'vitest'
import { Random } from '../simulators/random.ts'
import type { Evaluator } from './evaluator.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

const SEED = Number(process.env['FROSTGUARD_TEST_SEED'] ?? Date.now())
const DEVICES = 2
const HOURS = 10
const INTERVAL_MINUTES = 5
const RUNS = 1

const open: EvaluatedFleet[] = []
afterEach(() => Promise.all(open.splice(0).map((fleet) => fleet.close())))

interface Part {
  device: number
  readings: (readonly [number, number])[]
}

test.each(Array.from({ length: RUNS }, (_, run) => SEED + run))(
  'however batches come, by the ledger, page by page, or before it, the alerts are those of all rows at once (FROSTGUARD_TEST_SEED=%i)',
  async (seed) => {
    const random = new Random(seed, 'interleavings')
    const parts = randomParts(random)
    const once = await openFleet()
    for (const part of parts) await once.commit(part.readings, part.device)
    once.startEvaluator()
    const interleaved = await openFleet()
    await commitInterleaved(interleaved, shuffled(random, parts), random)
    const behind = await openFleet()
    for (const part of shuffled(random, parts)) await behind.commit(part.readings, part.device)
    behind.startEvaluator({ env: { EVALUATOR_PAGE_ROWS_MAX: '100' } })
    await Promise.all([once.evaluated(), interleaved.evaluated(), behind.evaluated()])
    const facts = await factsOf(once)
    expect(facts.length).toBeGreaterThan(0)
    expect(await factsOf(interleaved)).toEqual(facts)
    expect(await factsOf(behind)).toEqual(facts)
  },
)

async function openFleet(): Promise<EvaluatedFleet> {
  const fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: DEVICES, minutes: HOURS * 60 })
  open.push(fleet)
  return fleet
}

/** Some batches are handed over, some twice, some never; evaluators stop and others begin. */
async function commitInterleaved(
  fleet: EvaluatedFleet,
  parts: readonly Part[],
  random: Random,
): Promise<void> {
  let evaluator: Evaluator = fleet.startEvaluator()
  for (const { device, readings } of parts) {
    if (random.chance(0.1)) {
      await evaluator.stop()
      evaluator = fleet.startEvaluator()
    }
    const batch = await fleet.commit(readings, device)
    if (random.chance(0.5)) hand(evaluator, batch, batch.id)
    else hand(evaluator, undefined, batch.id)
    if (random.chance(0.1)) hand(evaluator, batch, batch.id)
    if (random.chance(0.3)) await fleet.evaluated()
  }
}

/** A day of each device in parts: mostly good, with excursions, gaps and a few stray readings. */
function randomParts(random: Random): Part[] {
  const parts: Part[] = []
  for (let device = 0; device < DEVICES; device += 1) {
    let isOut = false
    let readings: (readonly [number, number])[] = []
    for (let minute = 0; minute < HOURS * 60; minute += INTERVAL_MINUTES) {
      if (random.chance(isOut ? 0.15 : 0.05)) isOut = !isOut
      if (random.chance(0.03)) continue
      const celsius = (isOut ? 6 : 3.5) + random.uniform(-1.5, 1.5)
      readings.push([minute, Math.round(celsius * 100) / 100])
      if (!random.chance(0.15)) continue
      parts.push({ device, readings })
      readings = []
    }
    parts.push({ device, readings })
  }
  return parts.filter(({ readings }) => readings.length > 0)
}

/** Nearly in order, as networks deliver. */
function shuffled(random: Random, parts: readonly Part[]): Part[] {
  return parts
    .map((part) => ({
      part,
      at: (part.readings[0]?.[0] ?? 0) + (random.chance(0.2) ? random.uniform(0, 600) : 0),
    }))
    .sort((a, b) => a.at - b.at)
    .map(({ part }) => part)
}

/** Of alerts that are not withdrawn, relative to the beginning. */
async function factsOf(fleet: EvaluatedFleet): Promise<unknown[]> {
  return (await fleet.alerts())
    .filter(({ resolution }) => resolution !== 'withdrawn')
    .map(({ started, triggered, ended, peak, confirmed }) => ({ started, triggered, ended, peak, confirmed }))
}
