import { expect, test, vi } from 'vitest'
import { applyInputs } from './apply-inputs.ts'
import type { Condition, ReadingInput } from './core/types.ts'
import { Deferral, mayWait } from './deferral.ts'
import { NO_DOORS } from './held-doors.ts'
import { above, below, judgingOf, temperatures } from './testing/judging.ts'
import { openUnit, type SavedDevice, savedDevice, takeUp } from './unit-context.ts'

test('what comes late may wait, unless something of its device runs, or is found and not written', () => {
  const { unit, device } = unitOf(temperatures([0, 3], [900, 3]))
  expect(mayWait(unit, device)).toBe(true)
  applyInputs(unit, { readings: temperatures([300, 6], [600, 6]), doors: [] })
  expect(device.late).toBeDefined()
  expect(mayWait(unit, device)).toBe(true)

  const raised = unitOf(temperatures([0, 6], [300, 6], [600, 6]))
  raised.unit.changed.clear()
  expect(mayWait(raised.unit, raised.device)).toBe(false)

  const ended = unitOf(temperatures([0, 6], [300, 6], [600, 6], [900, 3], [1_200, 3]))
  expect(mayWait(ended.unit, ended.device)).toBe(false)
  ended.unit.changed.clear()
  expect(mayWait(ended.unit, ended.device)).toBe(true)
})

test('what is late because of its rules, or because it was set aside, does not wait', () => {
  const { unit, device } = unitOf(temperatures([0, 3]))
  const others = unitOf([], new Map([[device.config.deviceId, savedDevice(device)]]), [
    above(5, 600),
    below(0, 600),
  ])
  expect(mayWait(others.unit, others.device)).toBe(false)
  takeUp(unit, new Map())
  expect(mayWait(unit, device)).toBe(false)
})

test('what waits is due after a while, and then again, later where that took long', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const deferral = new Deferral()
    const isDueAfter = (ms: number) => {
      vi.advanceTimersByTime(ms - 1)
      const before = deferral.isDue
      vi.advanceTimersByTime(1)
      return !before && deferral.isDue
    }
    deferral.noteSpent(2_000)
    expect([deferral.isDue, deferral.waits]).toEqual([false, 'nothing'])
    deferral.begin()
    expect(deferral.waits).toBe('what may wait')
    vi.advanceTimersByTime(1_000)
    // Each full page says so.
    deferral.begin()
    expect(isDueAfter(4_000)).toBe(true)
    deferral.folded({ startedAtMs: performance.now() - 1_000, isSpent: false })
    expect(isDueAfter(5_000)).toBe(true)
    deferral.folded({ startedAtMs: performance.now() - 2_000, isSpent: false })
    expect(isDueAfter(6_000)).toBe(true)
    deferral.noteSpent(2_000)
    expect(isDueAfter(6_000)).toBe(true)
    deferral.folded({ startedAtMs: performance.now(), isSpent: false })
    // It is due later already.
    deferral.noteSpent(1_000)
    expect(isDueAfter(5_000)).toBe(true)
    expect(deferral.end()).toBe(true)
    expect([deferral.isDue, deferral.waits, deferral.end()]).toEqual([false, 'nothing', false])
  } finally {
    vi.useRealTimers()
  }
})

test('where there was no time for all that is late, all of it waits until there was', () => {
  const deferral = new Deferral()
  deferral.begin()
  deferral.noteSpent(2_000)
  expect(deferral.waits).toBe('all')
  deferral.folded({ startedAtMs: performance.now(), isSpent: true })
  expect(deferral.waits).toBe('all')
  deferral.folded({ startedAtMs: performance.now(), isSpent: false })
  expect(deferral.waits).toBe('what may wait')
  deferral.noteSpent(2_000)
  deferral.end()
  deferral.begin()
  expect(deferral.waits).toBe('what may wait')
})

/** With one device, which has sent these. */
function unitOf(
  readings: ReadingInput[],
  saved: ReadonlyMap<number, SavedDevice> = new Map(),
  conditions: Condition[] = [above(5, 600)],
) {
  const config = judgingOf(...conditions).unit
  const unit = openUnit(config, { saved, doors: NO_DOORS, status: 'ok', pauses: [], offsets: new Map() })
  applyInputs(unit, { readings, doors: [] })
  const [device] = unit.devices.values()
  if (!device) throw new Error('The unit has one device, but it is not there')
  return { unit, device }
}
