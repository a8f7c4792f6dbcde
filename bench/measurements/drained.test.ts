import { expect, test } from 'vitest'
import { stillHeld } from './drained.ts'

test('says what of the acknowledged is not in the database yet, and nothing when all is', () => {
  const metrics = new Map([
    ['frostguard_readings_spooled', 1_200],
    ['frostguard_readings_in_flight', 50],
    ['frostguard_door_events_spooled', 0],
    ['frostguard_door_events_in_flight', 0],
  ])
  expect(stillHeld(metrics)).toEqual([
    'readings still in the spool, 120 s after the load: 1200, expected 0',
    'readings still in flight, 120 s after the load: 50, expected 0',
  ])
  expect(stillHeld(new Map([...metrics.keys()].map((name) => [name, 0])))).toEqual([])
})
