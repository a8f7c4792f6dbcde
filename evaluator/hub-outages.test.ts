import { expect, test } from 'vitest'
import { NO_DOORS } from './held-doors.ts'
import { HubOutages } from './hub-outages.ts'
import { judgingBy } from './testing/judging.ts'
import { seconds, trackOf } from './testing/words.ts'
import { openUnit } from './unit-context.ts'

const HUB = 7
const SILENT = trackOf({ type: 'no_data', missed: 5 })
const AWAY_FROM_MS = seconds(1_000)
const NOW_MS = seconds(9_000)

test('a device that is still to be heard makes no outage of its hub due', () => {
  const { unit: config } = judgingBy([SILENT])
  const unit = openUnit(
    { ...config, devices: config.devices.map((device) => ({ ...device, hubId: HUB })) },
    { saved: new Map(), doors: NO_DOORS, status: 'ok', pauses: [], offsets: new Map() },
  )
  const [device] = unit.devices.values()
  if (!device) throw new Error('The unit was expected to have a device')
  device.hearing = { ...device.hearing, newestAtMs: seconds(900) }
  device.isUnheard = true
  const hubs = new HubOutages()
  const state = { hubId: HUB, organizationId: 1, isGone: false }
  hubs.update([{ ...state, isOnline: true, sinceMs: 0 }], 0)
  hubs.update([{ ...state, isOnline: false, sinceMs: AWAY_FROM_MS }], AWAY_FROM_MS)
  const judge = () =>
    hubs.judge({ units: [unit], asideListenings: [] }, [], { nowMs: NOW_MS, heardToMs: NOW_MS })
  expect(judge()).toEqual([])
  device.isUnheard = false
  expect(judge()).toMatchObject([
    { hubId: HUB, facts: { startedAtMs: seconds(900), triggeredAtMs: seconds(2_430), endedAtMs: null } },
  ])
})
