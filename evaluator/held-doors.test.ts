import { expect, test } from 'vitest'
import { Random } from '../simulators/random.ts'
import { randomSeed } from '../simulators/testing/rates.ts'
import { doorTimeline } from './core/doors.ts'
import type { DoorInput, UnitConfig } from './core/types.ts'
import { boundedDoors, DOORS_MAX, NO_DOORS } from './held-doors.ts'
import { judgeDoors } from './judge-doors.ts'
import { judgingBy } from './testing/judging.ts'
import { seconds, trackOf } from './testing/words.ts'
import { openUnit, type UnitContext } from './unit-context.ts'

const SEED = randomSeed()
const DOORS = 3

test(`of many door events the newest are held, and from then on all is as if all were, seed ${SEED}`, () => {
  const random = new Random(SEED)
  const taken: DoorInput[] = []
  let held = NO_DOORS
  for (let hour = 0; hour < 20; hour += 1) {
    const some = Array.from({ length: 500 }, () =>
      event(hour * 3_600 + random.integer(0, 7_200), random.integer(1, DOORS), random.chance(0.5)),
    )
    taken.push(...some)
    held = boundedDoors({ ...held, events: [...held.events, ...some] })
    expect(held.events.length).toBeLessThanOrEqual(DOORS_MAX + DOORS + 50)
  }
  const { heldFromMs } = held
  expect(heldFromMs).toBeGreaterThan(0)
  const lastingTo = ({ closedAtMs }: { closedAtMs: number | null }) => (closedAtMs ?? Infinity) >= heldFromMs
  const openings = (events: readonly DoorInput[]) => doorTimeline(events).openings.filter(lastingTo)
  expect(openings(held.events)).toEqual(openings(taken))
})

test('an opening of long ago that is still under way does not end what was found of another door', () => {
  const unit = unitOf([event(0, 1, true)])
  unit.doors = boundedDoors({
    ...unit.doors,
    events: [
      ...unit.doors.events,
      event(100, 2, true),
      event(600, 2, false),
      ...Array.from({ length: DOORS_MAX }, (_, index) => event(1_000 + index, 2, index % 2 === 0)),
    ],
  })
  unit.timeline = doorTimeline(unit.doors.events)
  unit.doorsFromMs = -Infinity
  expect(judgeDoors(unit, () => seconds(1_000))).toMatchObject([
    { deviceId: 1, afterMs: -1 },
    { deviceId: 2, afterMs: seconds(1_000) - 1 },
  ])
  expect([...unit.changed.values()]).toMatchObject([{ deviceId: 1, startedAtMs: 0, endedAtMs: null }])
})

function unitOf(events: DoorInput[]): UnitContext {
  const { unit } = judgingBy([trackOf({ type: 'door_open', forMs: seconds(300) })])
  const devices = [1, 2].map((deviceId) => ({ ...device(unit), deviceId, deviceType: 'door' }))
  const doors = { ...NO_DOORS, events }
  const config = { ...unit, devices }
  return openUnit(config, { saved: new Map(), doors, status: 'ok', pauses: [], offsets: new Map() })
}

function device({ devices: [first] }: UnitConfig) {
  if (!first) throw new Error('A unit without a device')
  return first
}

function event(second: number, deviceId: number, isOpen: boolean): DoorInput {
  const atMs = seconds(second)
  return { kind: 'door', deviceId, atMs, recordedAtMs: atMs, receivedAtMs: atMs, isOpen }
}
