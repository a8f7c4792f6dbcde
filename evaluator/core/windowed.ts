import {
  elapse,
  goBeyond,
  goGood,
  type Held,
  type Machine,
  type Moment,
  notePeak,
  PENDING_GAP_MS_MAX,
  raise,
} from './machine.ts'
import type { Judged } from './threshold.ts'
import type { Condition } from './types.ts'

export type Windowed = Extract<
  Condition,
  { type: 'temperature_cumulative' | 'temperature_n_of_m' | 'rate_of_change' }
>
type Cumulative = Extract<Windowed, { type: 'temperature_cumulative' }>
type NOfM = Extract<Windowed, { type: 'temperature_n_of_m' }>
type Rate = Extract<Windowed, { type: 'rate_of_change' }>

/** Readings that a rule keeps of its window in a state; with more, each reading is judged from rows. */
export const WINDOW_READINGS_MAX = 4_096

/** What a window says at its newest reading. */
interface Finding {
  isMet: boolean
  /** Whether the time that the newest reading holds counts. */
  isOut: boolean
  /** That triggers where it is met. */
  centi: number
  limitCenti: number
  sign: 1 | -1
  /** Where its excursion begins, if it is met: index in the window. */
  first: number
}

/**
 * Rules over the last readings of a device. True at a reading = beyond, false = good: no hysteresis. An excursion begins
 * with the first reading in the window that made it true. Returns when a raised alert ended, else null.
 */
export function judgeWindow(
  machine: Machine,
  condition: Windowed,
  centi: number,
  judged: Judged,
): number | null {
  const { moment, version } = judged
  elapse(machine, moment)
  passTime(machine.window, moment)
  const finding = findIn(machine.window, condition, { centi, moment })
  // What such a reading holds is after the end, if it turns out to be one: no part of the alert, even beyond the limit.
  if (!finding.isMet) return goGood(machine, moment)
  const wasIdle = machine.phase === 'idle'
  goBeyond(machine, machine.window[finding.first]?.atMs ?? moment.atMs)
  if (wasIdle) gatherEvidence(machine, condition, finding)
  machine.isOut = finding.isOut
  notePeak(machine, finding.centi, finding.sign)
  if (machine.phase === 'pending' && judged.mayTrigger) {
    const { centi, limitCenti } = finding
    raise(machine, version, { atMs: moment.atMs, centi, limitCenti })
  }
  return null
}

function findIn(window: Held[], condition: Windowed, newest: { centi: number; moment: Moment }): Finding {
  if (condition.type === 'temperature_cumulative') return findCumulative(window, condition, newest)
  if (condition.type === 'temperature_n_of_m') return findNOfM(window, condition, newest)
  return findRate(window, condition, newest)
}

/** The newest reading of the window has held until this one, or a gap followed it. */
function passTime(window: Held[], { elapsedMs, isGap }: Moment): void {
  const last = window.at(-1)
  if (!last) return
  if (isGap) last.unknownMs = elapsedMs
  else last.heldMs = elapsedMs
}

/** Held time of readings beyond the limit. Of the others only those before a gap stay, for the unknown time. */
function findCumulative(
  window: Held[],
  { direction, limitCenti, totalMs, windowMs }: Cumulative,
  { centi, moment: { atMs } }: { centi: number; moment: Moment },
): Finding {
  const sign = signOf(direction)
  const isBeyond = (value: number) => sign * (value - limitCenti) > 0
  const last = window.at(-1)
  if (last && !isBeyond(last.centi) && last.unknownMs === 0) window.pop()
  const fromMs = atMs - windowMs
  dropWhile(window, (held) => held.atMs + held.heldMs + held.unknownMs <= fromMs)
  let sumMs = 0
  let first = -1
  for (const [index, held] of window.entries()) {
    const untilMs = held.atMs + held.heldMs
    if (untilMs <= fromMs || held.heldMs === 0 || !isBeyond(held.centi)) continue
    if (first < 0) first = index
    sumMs += untilMs - Math.max(held.atMs, fromMs)
  }
  window.push({ atMs, centi, heldMs: 0, unknownMs: 0 })
  return { isMet: sumMs >= totalMs, isOut: isBeyond(centi), centi, limitCenti, sign, first }
}

/** Of the last m readings, as many as there are, n are beyond the limit. */
function findNOfM(
  window: Held[],
  { direction, limitCenti, n, m }: NOfM,
  { centi, moment: { atMs, elapsedMs } }: { centi: number; moment: Moment },
): Finding {
  const sign = signOf(direction)
  const isBeyond = (value: number) => sign * (value - limitCenti) > 0
  if (elapsedMs > PENDING_GAP_MS_MAX) window.length = 0
  window.push({ atMs, centi, heldMs: 0, unknownMs: 0 })
  if (window.length > m) window.shift()
  let count = 0
  for (const held of window) if (isBeyond(held.centi)) count += 1
  const first = window.findIndex((held) => isBeyond(held.centi))
  return { isMet: count >= n, isOut: isBeyond(centi), centi, limitCenti, sign, first }
}

/** The change against any reading of the window since the last gap; the greatest is its value. */
function findRate(
  window: Held[],
  { direction, deltaCenti, windowMs }: Rate,
  { centi, moment: { atMs, isGap } }: { centi: number; moment: Moment },
): Finding {
  const sign = direction === 'rising' ? 1 : -1
  if (isGap) window.length = 0
  dropWhile(window, (held) => held.atMs < atMs - windowMs)
  let change = 0
  let first = -1
  for (const [index, held] of window.entries()) {
    const step = sign * (centi - held.centi)
    if (step > change) change = step
    if (first < 0 && step >= deltaCenti) first = index
  }
  window.push({ atMs, centi, heldMs: 0, unknownMs: 0 })
  const isMet = first >= 0
  return { isMet, isOut: isMet, centi: change, limitCenti: deltaCenti, sign: 1, first }
}

/** What the readings in the window from the first one on say of the excursion that has just begun. */
function gatherEvidence(machine: Machine, condition: Windowed, { first, sign }: Finding): void {
  for (const { centi, heldMs, unknownMs } of machine.window.slice(first)) {
    machine.unknownMs += unknownMs
    if (condition.type === 'rate_of_change') machine.confirmedMs += heldMs
    else if (sign * (centi - condition.limitCenti) > 0) {
      machine.confirmedMs += heldMs
      notePeak(machine, centi, sign)
    }
  }
}

function signOf(direction: 'above' | 'below'): 1 | -1 {
  return direction === 'above' ? 1 : -1
}

function dropWhile(window: Held[], isOver: (held: Held) => boolean): void {
  const kept = window.findIndex((held) => !isOver(held))
  if (kept !== 0) window.splice(0, kept < 0 ? window.length : kept)
}
