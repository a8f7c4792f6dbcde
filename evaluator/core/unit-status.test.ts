import { describe, expect, test } from 'vitest'
import { seconds } from '../testing/words.ts'
import { type StatusDevice, type StatusInput, type UnitStatus, unitStatus } from './unit-status.ts'

const HOUR = 3600
const GOOD: StatusDevice = {
  newestAtMs: 0,
  missed: 0,
  temperatureMissed: 0,
  temperatureCenti: 300,
  isPending: false,
  goodInARow: 2,
  doorOpenForMs: null,
}
const OUT: StatusDevice = { ...GOOD, temperatureCenti: 600, isPending: true, goodInARow: 0 }
const FIRST_GOOD: StatusDevice = { ...GOOD, goodInARow: 1 }
const NEVER_HEARD: StatusDevice = { ...GOOD, newestAtMs: null, missed: null, temperatureMissed: null }
/** Heard, but without a temperature since it was in order. */
const FAULTY: StatusDevice = { ...GOOD, temperatureMissed: 1 }
const STATUSES: readonly UnitStatus[] = [
  'ok',
  'excursion',
  'alarm_active',
  'monitoring_interrupted',
  'manual_required',
  'restoring',
  'offline',
]

describe('silence comes first', () => {
  test.each([
    [0, 'ok'],
    [1, 'offline'],
    [4, 'offline'],
    [5, 'monitoring_interrupted'],
    [50, 'monitoring_interrupted'],
  ] as const)('%i check-ins missed: %s', (missed, expected) => {
    expect(statusOf({ devices: [{ ...GOOD, missed }] })).toBe(expected)
  })

  test('whatever its alerts and readings say', () => {
    for (const previous of STATUSES) {
      const input = { previous, alarms: [{ newestIsGood: false }] }
      expect(statusOf({ ...input, devices: [{ ...OUT, missed: 1 }] })).toBe('offline')
      expect(statusOf({ ...input, devices: [{ ...OUT, missed: 5 }] })).toBe('monitoring_interrupted')
    }
  })

  test('a unit without a reading, or a device, is offline', () => {
    expect(statusOf({ devices: [{ ...GOOD, newestAtMs: null, missed: null }] })).toBe('offline')
    expect(statusOf({ devices: [] })).toBe('offline')
  })

  test('where manual monitoring is required, 4 h without a reading require it', () => {
    const silentTo = (nowMs: number, other: Partial<StatusInput> = {}) =>
      statusOf({ devices: [{ ...GOOD, missed: 5 }], unit: MANUAL, nowMs, ...other })
    expect(silentTo(seconds(4 * HOUR) - 1)).toBe('monitoring_interrupted')
    expect(silentTo(seconds(4 * HOUR))).toBe('manual_required')
    expect(silentTo(seconds(4 * HOUR), { unit: LIMITS })).toBe('monitoring_interrupted')
    expect(silentTo(seconds(4 * HOUR), { devices: [{ ...GOOD, missed: 4 }] })).toBe('offline')
  })

  test('is that of the newest of its devices', () => {
    const silent = { ...GOOD, missed: 9 }
    const newer = { ...GOOD, newestAtMs: seconds(2700) }
    expect(statusOf({ devices: [silent, newer] })).toBe('ok')
    expect(
      statusOf({
        devices: [
          { ...GOOD, newestAtMs: null, missed: null },
          { ...newer, missed: 1 },
        ],
      }),
    ).toBe('offline')
    expect(statusOf({ devices: [{ ...newer, missed: 5 }, silent] })).toBe('monitoring_interrupted')
  })
})

describe('then alerts and readings', () => {
  test('alarm_active: an alert is open whose newest reading is not good', () => {
    expect(statusOf({ devices: [OUT], alarms: [{ newestIsGood: true }, { newestIsGood: false }] })).toBe(
      'alarm_active',
    )
    expect(
      statusOf({ devices: [FIRST_GOOD], alarms: [{ newestIsGood: true }], previous: 'alarm_active' }),
    ).toBe('restoring')
  })

  test('excursion: a pending excursion of a rule', () => {
    expect(
      statusOf({ devices: [{ ...GOOD, isPending: true }], unit: { ...LIMITS, tempMaxCenti: null } }),
    ).toBe('excursion')
    expect(statusOf({ devices: [GOOD, OUT] })).toBe('excursion')
  })

  test.each([
    [500, 'ok'],
    [501, 'excursion'],
    [0, 'ok'],
    [-1, 'excursion'],
    [null, 'ok'],
  ])('excursion: beyond temp_min or temp_max, without a rule: %s', (temperatureCenti, expected) => {
    expect(statusOf({ devices: [{ ...GOOD, temperatureCenti }] })).toBe(expected)
  })

  test('a door open for less than 20 min keeps the display at ok', () => {
    const open = (doorOpenForMs: number, previous: UnitStatus = 'ok') =>
      statusOf({ devices: [{ ...OUT, doorOpenForMs }], previous })
    expect(open(0)).toBe('ok')
    expect(open(seconds(1200) - 1)).toBe('ok')
    expect(open(seconds(1200))).toBe('excursion')
    expect(open(0, 'restoring')).toBe('excursion')
    expect(statusOf({ devices: [{ ...OUT, doorOpenForMs: 0 }], alarms: [{ newestIsGood: false }] })).toBe(
      'alarm_active',
    )
  })
})

describe('the way back', () => {
  const FROM = STATUSES.filter((status) => status !== 'ok')

  test.each(FROM)('%s: the first good reading restores, the second is ok', (previous) => {
    expect(statusOf({ devices: [{ ...GOOD, goodInARow: 0 }], previous })).toBe(previous)
    expect(statusOf({ devices: [FIRST_GOOD], previous })).toBe('restoring')
    expect(statusOf({ devices: [GOOD], previous })).toBe('ok')
  })

  test('out again is an excursion again', () => {
    expect(statusOf({ devices: [OUT], previous: 'restoring' })).toBe('excursion')
  })

  test('ok stays ok over a reading that says nothing', () => {
    expect(statusOf({ devices: [{ ...GOOD, temperatureCenti: null, goodInARow: 0 }] })).toBe('ok')
  })

  test('waits for each device that is heard, not for one that is silent', () => {
    const newer = { ...GOOD, newestAtMs: seconds(2700) }
    const from = { previous: 'excursion' } as const
    expect(statusOf({ ...from, devices: [newer, FIRST_GOOD] })).toBe('restoring')
    expect(statusOf({ ...from, devices: [newer, { ...FIRST_GOOD, missed: 9, temperatureMissed: 9 }] })).toBe(
      'ok',
    )
    expect(statusOf({ ...from, devices: [newer, { ...NEVER_HEARD, goodInARow: 0 }] })).toBe('ok')
  })

  test.each(['offline', 'monitoring_interrupted', 'manual_required'] as const)(
    '%s: a reading without a temperature leads nowhere',
    (previous) => {
      expect(statusOf({ devices: [FAULTY], previous })).toBe(previous)
      expect(statusOf({ devices: [{ ...FAULTY, temperatureMissed: null, goodInARow: 0 }], previous })).toBe(
        previous,
      )
      expect(statusOf({ devices: [{ ...FAULTY, temperatureCenti: 600 }], previous })).toBe('excursion')
    },
  )

  test('nor does a device of which no temperature comes hold up others', () => {
    const never: StatusDevice = { ...FAULTY, temperatureMissed: null, temperatureCenti: null, goodInARow: 0 }
    for (const device of [FAULTY, { ...FAULTY, goodInARow: 1 }, never]) {
      expect(statusOf({ devices: [FIRST_GOOD, device], previous: 'offline' })).toBe('restoring')
      expect(statusOf({ devices: [GOOD, device], previous: 'restoring' })).toBe('ok')
    }
  })

  test('what is out no more by another rule is not in order by what was before', () => {
    for (const previous of ['excursion', 'alarm_active', 'restoring'] as const) {
      expect(statusOf({ devices: [FAULTY], previous })).toBe('restoring')
      expect(statusOf({ devices: [{ ...FAULTY, goodInARow: 0 }], previous })).toBe(previous)
    }
  })

  test('may pass over several at once', () => {
    expect(statusOf({ devices: [GOOD], previous: 'manual_required' })).toBe('ok')
    expect(statusOf({ devices: [OUT], previous: 'offline', alarms: [{ newestIsGood: false }] })).toBe(
      'alarm_active',
    )
  })
})

const LIMITS = { tempMinCenti: 0, tempMaxCenti: 500, manualMonitoringRequired: false }
const MANUAL = { ...LIMITS, manualMonitoringRequired: true }

function statusOf(input: Partial<StatusInput>): UnitStatus {
  return unitStatus({ devices: [], alarms: [], unit: LIMITS, previous: 'ok', nowMs: seconds(3000), ...input })
}
