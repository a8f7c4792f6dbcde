import { expect, test } from 'vitest'
import { randomSeed, seeded } from '../broker/testing.ts'
import type { TestFleet } from '../db/testing/fleet.ts'
import { sealBatch } from './batch.ts'
import { testMessage } from './testing/messages.ts'

const FLEET: TestFleet = {
  organizationId: 1,
  siteId: 1,
  unitId: 1,
  hubs: [{ id: 1, key: 'hub-1' }],
  devices: [1, 2, 3].map((id) => ({ id, devEui: '' })),
}

test('of readings with the same device and time the first stays, in whatever order they come', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  for (let run = 0; run < 200; run++) {
    // Mostly ascending, as devices send; some late, some again.
    let nowMs = 1_000
    const messages = Array.from({ length: 30 }, () => {
      nowMs += Math.floor(random() * 3)
      const late = random() < 0.2 ? Math.floor(random() * 20) : 0
      return testMessage(FLEET, [nowMs - late, nowMs, nowMs - late])
    })
    const rows = messages.flatMap(({ readings }) => readings)
    const firsts = new Map(rows.toReversed().map((row) => [`${row.deviceId} ${row.recordedAtMs}`, row]))
    const expected = rows.filter((row) => firsts.get(`${row.deviceId} ${row.recordedAtMs}`) === row)
    const { readings, duplicates } = sealBatch(messages)
    expect(readings, `seed ${seed}, run ${run}`).toEqual(expected)
    expect(duplicates.readings).toBe(rows.length - expected.length)
  }
})
