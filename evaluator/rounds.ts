import { setImmediate as breathe } from 'node:timers/promises'
import { type Arrival, joined, rowsOf, type Work } from './work.ts'

/** So often what is known is written before the next messages of a turn are judged; then the rest goes together. */
const ROUNDS_MAX = 64
/** And for so many units in all: each may need a refold of its own. */
const HELD_UNITS_MAX = 4_096
/** Rows that are judged before others get their turn. */
const ROWS_AT_ONCE = 2_000

interface RoundSteps {
  /** Takes messages of a unit, one at least, up to where what was found must be written first. Returns how many. */
  take: (unitId: number, arrivals: readonly Arrival[]) => number
  /** Writes what was found. `held`: the messages that wait for that. */
  write: (held: Work) => Promise<void>
}

/**
 * Takes messages in the order of their arrival. Where one might take away what those before it have raised, that is written
 * first: in rounds, each for all units. What the last round has found is the caller's to write.
 */
export async function inRounds(work: Work, { take, write }: RoundSteps): Promise<void> {
  let heldUnits = 0
  let held = await takeRound(work, take)
  for (let rounds = 2; held.size > 0; rounds += 1) {
    await write(held)
    heldUnits += held.size
    const isLast = rounds >= ROUNDS_MAX || heldUnits >= HELD_UNITS_MAX
    held = await takeRound(isLast ? allJoined(held) : held, take)
  }
}

/** Returns what waits for the next round. */
async function takeRound(work: Work, take: RoundSteps['take']): Promise<Work> {
  const held: Work = new Map()
  let rows = 0
  for (const [unitId, arrivals] of work) {
    const taken = take(unitId, arrivals)
    if (taken < arrivals.length) held.set(unitId, arrivals.slice(taken))
    for (let index = 0; index < taken; index += 1) rows += rowsOf(arrivals[index])
    if (rows < ROWS_AT_ONCE) continue
    rows = 0
    await breathe()
  }
  return held
}

function allJoined(work: Work): Work {
  return new Map([...work].map(([unitId, arrivals]) => [unitId, [joined(arrivals)]]))
}
