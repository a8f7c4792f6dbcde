import { describe, expect, test } from 'vitest'
import { applyInputs } from './apply-inputs.ts'
import type { ReadingInput } from './core/types.ts'
import type { UnitStatus } from './core/unit-status.ts'
import { NO_DOORS } from './held-doors.ts'
import { updateStatus } from './status.ts'
import { above, judgingOf, readingAt, temperatures } from './testing/judging.ts'
import { noteLate, openUnit, recalibrate, type UnitContext } from './unit-context.ts'

const HOURS_5 = 18_000
/** The other device falls silent here. */
const LAST_OF_OTHER = 1_200
const DEVICE = 1
const OTHER = 2
/** Two good ones before five hours of silence. */
const GOOD_LONG_AGO = temperatures([0, 3], [300, 3], [600, 3])

function unitOf(
  deviceIds: readonly number[],
  status: UnitStatus = 'ok',
  tempMaxCenti: number | null = 500,
): UnitContext {
  const { unit: config, device } = judgingOf(above(5, 600))
  return openUnit(
    {
      ...config,
      tempMaxCenti,
      manualMonitoringRequired: true,
      devices: deviceIds.map((deviceId) => ({ ...device, deviceId })),
    },
    { saved: new Map(), doors: NO_DOORS, status, pauses: [], offsets: new Map() },
  )
}

function apply(unit: UnitContext, readings: readonly ReadingInput[], deviceId = DEVICE): void {
  for (const reading of readings) applyInputs(unit, { readings: [{ ...reading, deviceId }], doors: [] })
}

function deviceOf(unit: UnitContext, deviceId: number) {
  const device = unit.devices.get(deviceId)
  if (!device) throw new Error('The unit was expected to have the device')
  return device
}

/** Something came late of a device, and waits: nothing of it is judged from here on. */
function holdUp(unit: UnitContext, deviceId = DEVICE): void {
  noteLate(deviceOf(unit, deviceId), { fromMs: 450_000, toMs: 450_000 })
}

function statusAt(unit: UnitContext, second: number): UnitStatus {
  updateStatus(unit, second * 1_000)
  return unit.status
}

test.each([
  ['is in order', []],
  ['has come late and waits', temperatures([450, 3])],
])(
  'a unit with a device that is heard and one that is dead is watched, also where something %s',
  (_, late) => {
    const unit = unitOf([DEVICE, OTHER])
    apply(unit, temperatures([0, 3], [300, 3], [900, 3]))
    apply(unit, temperatures([0, 3], [LAST_OF_OTHER, 3]), OTHER)
    apply(unit, late)
    for (let second = LAST_OF_OTHER; second <= HOURS_5; second += 300) apply(unit, temperatures([second, 3]))
    expect(deviceOf(unit, DEVICE).late !== undefined).toBe(late.length > 0)
    expect(updateStatus(unit, HOURS_5 * 1_000 + 1_000)).toBe(false)
    expect(unit.status).toBe('ok')
  },
)

test.each([
  ['judged, and too warm', false, null, 'excursion'],
  ['heard, and too warm for the unit', true, 500, 'excursion'],
  ['heard, and not judged yet', true, null, 'restoring'],
] as const)(
  'a unit that was out of sight is not in order by readings of before, where its device is %s',
  (_, isHeldUp, tempMaxCenti, status) => {
    const unit = unitOf([DEVICE], 'ok', tempMaxCenti)
    apply(unit, GOOD_LONG_AGO)
    expect(statusAt(unit, HOURS_5 - 1)).toBe('manual_required')
    if (isHeldUp) holdUp(unit)
    apply(unit, temperatures([HOURS_5, 20]))
    expect(statusAt(unit, HOURS_5 + 1)).toBe(status)
    apply(unit, temperatures([HOURS_5 + 300, 20]))
    expect(statusAt(unit, HOURS_5 + 301)).toBe(status)
  },
)

test.each([
  ['is silent', []],
  ['is in order', temperatures([HOURS_5 - 300, 3], [HOURS_5, 3])],
])('nor where another one of its devices %s', (_, ofOther) => {
  const unit = unitOf([DEVICE, OTHER], 'ok', null)
  for (const deviceId of [DEVICE, OTHER]) apply(unit, GOOD_LONG_AGO, deviceId)
  expect(statusAt(unit, HOURS_5 - 301)).toBe('manual_required')
  holdUp(unit)
  apply(unit, temperatures([HOURS_5, 20]))
  apply(unit, ofOther, OTHER)
  expect(statusAt(unit, HOURS_5 + 1)).toBe('restoring')
})

const FAULT = { fault: 'no_probe' }
const BATTERY = { battery: 80 }

describe.each([
  ['of a fault', FAULT],
  ['of its battery alone', BATTERY],
])('a first reading %s', (_, given) => {
  test.each([
    ['offline', 1_000],
    ['monitoring_interrupted', 3_000],
    ['manual_required', HOURS_5],
  ] as const)('leads from %s nowhere, judged or not', (status, second) => {
    for (const isHeldUp of [false, true]) {
      const unit = unitOf([DEVICE])
      apply(unit, GOOD_LONG_AGO)
      expect(statusAt(unit, second - 1)).toBe(status)
      if (isHeldUp) holdUp(unit)
      apply(unit, [readingAt(second, given)])
      expect(statusAt(unit, second + 1)).toBe(status)
      apply(unit, temperatures([second + 300, 3]))
      expect(statusAt(unit, second + 301)).toBe('restoring')
      apply(unit, [readingAt(second + 600, given)])
      expect(statusAt(unit, second + 601)).toBe('restoring')
      apply(unit, temperatures([second + 900, 3]))
      expect(statusAt(unit, second + 901)).toBe(isHeldUp ? 'restoring' : 'ok')
    }
  })

  test('leads nowhere while another device of its unit cannot be read', () => {
    const unit = unitOf([DEVICE, OTHER])
    apply(unit, GOOD_LONG_AGO)
    expect(statusAt(unit, HOURS_5 - 1)).toBe('manual_required')
    deviceOf(unit, OTHER).isUnheard = true
    apply(unit, [readingAt(HOURS_5, given)])
    expect(statusAt(unit, HOURS_5 + 1)).toBe('manual_required')
  })

  test('and those that follow hold up no other device', () => {
    const unit = unitOf([DEVICE, OTHER])
    for (const deviceId of [DEVICE, OTHER]) apply(unit, GOOD_LONG_AGO, deviceId)
    expect(statusAt(unit, HOURS_5 - 1)).toBe('manual_required')
    apply(unit, [readingAt(HOURS_5, given)])
    apply(unit, temperatures([HOURS_5, 3]), OTHER)
    expect(statusAt(unit, HOURS_5 + 1)).toBe('restoring')
    apply(unit, [readingAt(HOURS_5 + 300, given)])
    apply(unit, temperatures([HOURS_5 + 300, 3]), OTHER)
    expect(statusAt(unit, HOURS_5 + 301)).toBe('ok')
  })
})

test('a device that never measures keeps no unit out of sight', () => {
  const unit = unitOf([DEVICE, OTHER], 'offline')
  for (const second of [0, 300, 600]) {
    apply(unit, [readingAt(second, BATTERY)])
    expect(statusAt(unit, second + 1)).toBe('offline')
  }
  for (const second of [900, 1_200]) {
    apply(unit, [readingAt(second, BATTERY)])
    apply(unit, temperatures([second, 3]), OTHER)
    expect(statusAt(unit, second + 1)).toBe(second === 900 ? 'restoring' : 'ok')
  }
})

test('a unit is in order again after two good ones, also with one without a temperature between them', () => {
  const unit = unitOf([DEVICE])
  apply(unit, GOOD_LONG_AGO)
  expect(statusAt(unit, HOURS_5 - 1)).toBe('manual_required')
  apply(unit, temperatures([HOURS_5, 3]))
  apply(unit, [readingAt(HOURS_5 + 300, FAULT)])
  expect(statusAt(unit, HOURS_5 + 301)).toBe('restoring')
  apply(unit, temperatures([HOURS_5 + 600, 3]))
  expect(statusAt(unit, HOURS_5 + 601)).toBe('ok')
})

test('a unit behind a hub that sends seldom is in order again, also where the newest reading has no temperature', () => {
  const unit = unitOf([DEVICE])
  apply(unit, GOOD_LONG_AGO)
  expect(statusAt(unit, HOURS_5)).toBe('manual_required')
  apply(unit, temperatures([HOURS_5, 3], [HOURS_5 + 300, 3]))
  apply(unit, [readingAt(HOURS_5 + 600, BATTERY)])
  // As the next ones are about to come.
  expect(statusAt(unit, HOURS_5 + 890)).toBe('ok')
})

test('what was heard by an offset that holds no more says nothing', () => {
  const unit = unitOf([DEVICE])
  apply(unit, GOOD_LONG_AGO)
  holdUp(unit)
  apply(unit, temperatures([900, 20]))
  recalibrate(deviceOf(unit, DEVICE), [{ deviceId: DEVICE, fromMs: 0, offsetCenti: -1_700 }])
  expect(statusAt(unit, 901)).toBe('ok')
  apply(unit, temperatures([1_200, 20]))
  expect(statusAt(unit, 1_201)).toBe('excursion')
})

test('a new one is no longer offline when its first readings are heard, though they wait', () => {
  const unit = unitOf([DEVICE], 'offline')
  holdUp(unit)
  apply(unit, temperatures([600, 3]))
  expect(statusAt(unit, 601)).toBe('restoring')
})

test('one that is in order stays so while something of a device that was not out of sight waits', () => {
  const unit = unitOf([DEVICE])
  apply(unit, GOOD_LONG_AGO)
  holdUp(unit)
  apply(unit, temperatures([900, 3]))
  expect(statusAt(unit, 901)).toBe('ok')
})

test('while a device of a unit that was set aside cannot be read, what is known of another one shows', () => {
  const unit = unitOf([DEVICE, OTHER])
  deviceOf(unit, OTHER).isUnheard = true
  apply(unit, temperatures([0, 6], [300, 6]))
  expect(statusAt(unit, 301)).toBe('excursion')
  apply(unit, temperatures([600, 6], [900, 6]))
  expect(statusAt(unit, 901)).toBe('alarm_active')
  apply(unit, temperatures([1_200, 3], [1_500, 3], [1_800, 3]))
  expect(statusAt(unit, 1_801)).toBe('restoring')
  deviceOf(unit, OTHER).isUnheard = false
  expect(statusAt(unit, 1_802)).toBe('ok')
})

test('and nothing is said of its silence', () => {
  const unit = unitOf([DEVICE, OTHER])
  apply(unit, GOOD_LONG_AGO)
  deviceOf(unit, OTHER).isUnheard = true
  expect(statusAt(unit, HOURS_5)).toBe('ok')
  deviceOf(unit, DEVICE).isUnheard = true
  expect(statusAt(unit, HOURS_5)).toBe('ok')
  deviceOf(unit, DEVICE).isUnheard = false
  deviceOf(unit, OTHER).isUnheard = false
  expect(statusAt(unit, HOURS_5)).toBe('manual_required')
})
