import {
  elapse,
  goBeyond,
  goGood,
  type Held,
  type Machine,
  type Moment,
  notePeak,
  PENDING_GAP_MS_MAX,
  trigger,
} from './machine.ts'
import type { Condition, Direction, RuleVersion } from './types.ts'

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
  /** The worst is the highest (1) or the lowest (-1). */
  sign: 1 | -1
}

/**
 * Rules over the last readings of a device. True at a reading = beyond, false = good: no hysteresis. Returns when a raised
 * alert ended, else null.
 */
export function judgeWindow(
  machine: Machine,
  condition: Windowed,
  version: RuleVersion,
  moment: Moment,
): number | null {
  elapse(machine, moment)
  machine.window ??= []
  const finding = findIn(machine, machine.window, condition, moment)
  // What such a reading holds is after the end, if it turns out to be one: no part of the alert, even beyond the limit.
  if (!finding.isMet) return goGood(machine, moment)
  if (machine.phase === 'idle') beginInWindow(machine, condition, moment)
  else goBeyond(machine, moment.input.atMs)
  machine.isOut = finding.isOut
  notePeak(machine, finding.centi, finding.sign)
  trigger(machine, version, moment.input, finding)
  return null
}

function findIn(machine: Machine, window: Held[], condition: Windowed, moment: Moment): Finding {
  if (condition.type === 'temperature_cumulative') return findCumulative(machine, window, condition, moment)
  if (condition.type === 'temperature_n_of_m') return findNOfM(window, condition, moment)
  return findRate(window, condition, moment)
}

/**
 * Held time of readings beyond the limit, each known when the next one comes. Of the others only those before a gap are
 * kept, for the unknown time.
 */
function findCumulative(
  machine: Machine,
  window: Held[],
  { direction, limitCenti, totalMs, windowMs }: Cumulative,
  { centi, previousCenti, elapsedMs, isGap, input: { atMs } }: Moment,
): Finding {
  const sign = signOf(direction)
  if (previousCenti !== null && (isGap || sign * (previousCenti - limitCenti) > 0)) {
    const heldMs = isGap ? 0 : elapsedMs
    window.push({ atMs: atMs - elapsedMs, centi: previousCenti, heldMs, unknownMs: elapsedMs - heldMs })
    machine.heldMs += heldMs
  }
  const fromMs = atMs - windowMs
  let oldest = window[0]
  while (oldest && oldest.atMs + oldest.heldMs + oldest.unknownMs <= fromMs) {
    machine.heldMs -= oldest.heldMs
    window.shift()
    oldest = window[0]
  }
  // Only the oldest one may reach out of the window.
  const outsideMs = oldest ? Math.min(Math.max(fromMs - oldest.atMs, 0), oldest.heldMs) : 0
  const isMet = machine.heldMs - outsideMs >= totalMs
  return { isMet, isOut: sign * (centi - limitCenti) > 0, centi, limitCenti, sign }
}

/** Of the last m readings, as many as there are, n are beyond the limit. */
function findNOfM(window: Held[], { direction, limitCenti, n, m }: NOfM, moment: Moment): Finding {
  const { centi, elapsedMs, input } = moment
  const { atMs } = input
  const sign = signOf(direction)
  passTime(window, moment)
  if (elapsedMs > PENDING_GAP_MS_MAX) window.length = 0
  window.push({ atMs, centi, heldMs: 0, unknownMs: 0 })
  if (window.length > m) window.shift()
  let count = 0
  for (let index = 0; index < window.length; index += 1) {
    const held = window[index]
    if (held && sign * (held.centi - limitCenti) > 0) count += 1
  }
  return { isMet: count >= n, isOut: sign * (centi - limitCenti) > 0, centi, limitCenti, sign }
}

/** The change against any reading of the window since the last gap; the greatest is its value. */
function findRate(window: Held[], { direction, deltaCenti, windowMs }: Rate, moment: Moment): Finding {
  const { centi, isGap, input } = moment
  const { atMs } = input
  const sign = direction === 'rising' ? 1 : -1
  passTime(window, moment)
  if (isGap) window.length = 0
  while (window[0] && window[0].atMs < atMs - windowMs) window.shift()
  let change = 0
  for (let index = 0; index < window.length; index += 1) {
    const held = window[index]
    if (held) change = Math.max(change, sign * (centi - held.centi))
  }
  window.push({ atMs, centi, heldMs: 0, unknownMs: 0 })
  const isMet = change >= deltaCenti
  return { isMet, isOut: isMet, centi: change, limitCenti: deltaCenti, sign: 1 }
}

/** Begins with the first reading in the window that made it true; what follows there is its evidence. */
function beginInWindow(machine: Machine, condition: Windowed, moment: Moment): void {
  const window = machine.window ?? []
  const first = window.findIndex((held) => isPartOf(held, condition, moment))
  goBeyond(machine, window[first]?.atMs ?? moment.input.atMs)
  for (const held of window.slice(first)) {
    machine.unknownMs += held.unknownMs
    if (condition.type === 'rate_of_change') machine.confirmedMs += held.heldMs
    else if (isBeyond(held.centi, condition)) {
      machine.confirmedMs += held.heldMs
      notePeak(machine, held.centi, signOf(condition.direction))
    }
  }
}

/** Whether a reading in the window makes the condition true, with others. */
function isPartOf(held: Held, condition: Windowed, { centi, input }: Moment): boolean {
  if (condition.type === 'temperature_n_of_m') return isBeyond(held.centi, condition)
  if (condition.type === 'rate_of_change') {
    const change = centi - held.centi
    return (condition.direction === 'rising' ? change : -change) >= condition.deltaCenti
  }
  const isInWindow = held.atMs + held.heldMs > input.atMs - condition.windowMs
  return isInWindow && held.heldMs > 0 && isBeyond(held.centi, condition)
}

function isBeyond(centi: number, { direction, limitCenti }: Cumulative | NOfM): boolean {
  return signOf(direction) * (centi - limitCenti) > 0
}

/** The newest reading of the window has held until this one, or a gap followed it. */
function passTime(window: Held[], { elapsedMs, isGap }: Moment): void {
  const last = window.at(-1)
  if (!last) return
  if (isGap) last.unknownMs = elapsedMs
  else last.heldMs = elapsedMs
}

function signOf(direction: Direction): 1 | -1 {
  return direction === 'above' ? 1 : -1
}
