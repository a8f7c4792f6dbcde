/** Up to where messages are taken together, where one has come late. */
import { expect, test } from 'vitest'
import { applyInputs } from './apply-inputs.ts'
import { applyArrivals } from './arrivals.ts'
import type { ReadingInput } from './core/types.ts'
import { NO_DOORS } from './held-doors.ts'
import { above, judgingOf, temperatures } from './testing/judging.ts'
import { openUnit } from './unit-context.ts'
import type { Arrival } from './work.ts'

const IDLE = temperatures([0, 3], [300, 3], [600, 3])
const RAISED = temperatures([0, 6], [300, 6], [600, 6])
/** One that comes late, and one that goes on behind the others. */
const MESSAGES = temperatures([450, 3], [900, 3])
const LAST_MS = 900_000

function messageOf(reading: ReadingInput, message: number): Arrival {
  return { message, arrivedAtMs: LAST_MS, readings: [reading], doors: [] }
}

test.each([
  ['until what came late is folded', IDLE, {}, 1],
  ['while that is deferred, all', IDLE, { isDeferring: true }, 2],
  ['where an alert runs, until it is folded', RAISED, {}, 1],
  ['where an alert runs, also while what may wait is deferred', RAISED, { isDeferring: true }, 1],
  ['where an alert runs, all, if it was put off', RAISED, { isPutOff: true }, 2],
])(
  '%s',
  (_, before, { isDeferring = false, isPutOff = false }: Partial<Record<string, boolean>>, expected) => {
    const { unit: config } = judgingOf(above(5, 600))
    const known = { saved: new Map(), doors: NO_DOORS, pauses: [], offsets: new Map() }
    const unit = openUnit(config, { ...known, status: 'ok' })
    applyInputs(unit, { readings: before, doors: [] })
    // As if it was written.
    unit.changed.clear()
    for (const device of unit.devices.values()) device.isPutOff = isPutOff
    const { taken } = applyArrivals(unit, MESSAGES.map(messageOf), { nowMs: LAST_MS, isDeferring })
    expect(taken).toBe(expected)
  },
)
