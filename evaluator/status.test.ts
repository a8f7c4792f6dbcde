import { expect, test } from 'vitest'
import { applyInputs } from './apply-inputs.ts'
import type { ReadingInput } from './core/types.ts'
import { NO_DOORS } from './held-doors.ts'
import { updateStatus } from './status.ts'
import { above, judgingOf, temperatures } from './testing/judging.ts'
import { openUnit } from './unit-context.ts'

const HOURS_5 = 18_000
/** The other device falls silent here. */
const LAST_OF_OTHER = 1_200

test.each([
  ['is in order', []],
  ['has come late and waits', temperatures([450, 3])],
])(
  'a unit with a device that is heard and one that is dead is watched, also where something %s',
  (_, late) => {
    const { unit: config } = judgingOf(above(5, 600))
    const [device] = config.devices
    if (!device) throw new Error('The unit was expected to have a device')
    const other = { ...device, deviceId: device.deviceId + 1 }
    const unit = openUnit(
      { ...config, manualMonitoringRequired: true, devices: [device, other] },
      { saved: new Map(), doors: NO_DOORS, status: 'ok', pauses: [], offsets: new Map() },
    )
    const apply = (readings: readonly ReadingInput[]) => {
      for (const reading of readings) applyInputs(unit, { readings: [reading], doors: [] })
    }
    apply(temperatures([0, 3], [300, 3], [900, 3]))
    apply(
      temperatures([0, 3], [LAST_OF_OTHER, 3]).map((reading) => ({ ...reading, deviceId: other.deviceId })),
    )
    apply(late)
    for (let second = LAST_OF_OTHER; second <= HOURS_5; second += 300) apply(temperatures([second, 3]))
    expect(unit.devices.get(device.deviceId)?.late !== undefined).toBe(late.length > 0)
    expect(updateStatus(unit, HOURS_5 * 1_000 + 1_000)).toBe(false)
    expect(unit.status).toBe('ok')
  },
)
