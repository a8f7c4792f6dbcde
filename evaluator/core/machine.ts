import type { ReadingInput, RuleVersion, Severity } from './types.ts'

/** The earliest instant of a `Date`: before every reading. A plain number, so that a state can be written as JSON. */
export const NEVER_MS = -8_640_000_000_000_000

/** A gap of more than this drops what is pending and empties the readings of an n-of-m rule. */
export const PENDING_GAP_MS_MAX = 4 * 3_600_000

/** A reading within the window of a rule, and the time from it to the device's next one. */
export interface Held {
  atMs: number
  centi: number
  /** Held until the next reading. One of the two is 0. */
  heldMs: number
  /** A gap until the next reading. */
  unknownMs: number
}

/**
 * One version of a rule on one device.
 *
 * - idle: the readings are inside; also in the band of hysteresis, if nothing was beyond before.
 * - pending, from the first reading beyond: until a good reading, or a gap of over 4 h. Raised when the condition is met
 *   and the version may trigger.
 * - raised: until two consecutive good readings (a single one for battery and stuck), or until its version ends.
 *
 * What is measured of an excursion has a meaning from pending on; of an alert, when raised.
 */
export interface Machine {
  phase: 'idle' | 'pending' | 'raised'
  /** Consecutive good readings without unknown time between, up to the newest: at most 2. */
  good: number
  /** The first of them, once something was pending. */
  goodAtMs: number
  /** Whether the time that the newest reading holds belongs to the excursion. */
  isOut: boolean
  startedAtMs: number
  confirmedMs: number
  unknownMs: number
  /** The worst of the excursion. */
  peakCenti: number | null
  /** Readings of the run, of a stuck sensor. */
  count: number
  triggeredAtMs: number
  triggerCenti: number | null
  limitCenti: number | null
  /** The version that triggered, and its severity: they are kept when a later version goes on with the alert. */
  version: number
  severity: Severity
  /** Readings in the window, of a windowed rule; null = none, as with all other rules. */
  window: Held[] | null
  /** Of a cumulative rule: how long those of them beyond the limit have been held. */
  heldMs: number
}

/** What an idle machine says of an excursion: nothing. So that equal pasts give equal states. */
const NO_EXCURSION = {
  goodAtMs: NEVER_MS,
  isOut: false,
  startedAtMs: NEVER_MS,
  confirmedMs: 0,
  unknownMs: 0,
  peakCenti: null,
  count: 0,
  triggeredAtMs: NEVER_MS,
  triggerCenti: null,
  limitCenti: null,
  version: 0,
  severity: 'info',
} as const

export function newMachine(): Machine {
  return { phase: 'idle', good: 0, ...NO_EXCURSION, window: null, heldMs: 0 }
}

/** Of a unit, at the time of a reading; unknown = closed. */
export interface Doors {
  isDoorOpenAt(atMs: number): boolean
}

/** A reading as one series of its device sees it: all readings, those with a temperature, or those with a battery. */
export interface Moment {
  input: ReadingInput
  /** Since the reading before it in the series; huge for the first one. */
  elapsedMs: number
  /** That time is unknown: over 2 x the reporting interval. */
  isGap: boolean
  /** What the series is of: °C, or percent of a battery, x 100. */
  centi: number
  /** Of the reading before it in the series; null = there is none. */
  previousCenti: number | null
  doors: Doors
}

/** Lets the time until this reading pass. To be called once for each, before it is judged. */
export function elapse(machine: Machine, { elapsedMs, isGap }: Moment): void {
  if (machine.phase === 'idle') return
  if (machine.phase === 'pending' && elapsedMs > PENDING_GAP_MS_MAX) becomeIdle(machine)
  else if (isGap) machine.unknownMs += elapsedMs
  else if (machine.isOut) machine.confirmedMs += elapsedMs
}

export function becomeIdle(machine: Machine): void {
  machine.phase = 'idle'
  Object.assign(machine, NO_EXCURSION)
}

/** A reading beyond: begins an excursion at `startedAtMs`, or goes on with the one there is. */
export function goBeyond(machine: Machine, startedAtMs: number): void {
  machine.good = 0
  machine.isOut = true
  if (machine.phase !== 'idle') return
  machine.phase = 'pending'
  machine.startedAtMs = startedAtMs
}

/** A reading that keeps the state it finds: its time counts, but it neither triggers nor ends anything. */
export function keep(machine: Machine): void {
  machine.good = 0
  machine.isOut = machine.phase !== 'idle'
}

/** Raises what is pending, at a reading that meets the condition: if its version is in force there, and may trigger. */
export function trigger(
  machine: Machine,
  { version, severity, fromMs, triggers }: RuleVersion,
  { atMs, receivedAtMs }: ReadingInput,
  evidence: { centi: number | null; limitCenti: number | null },
): void {
  if (machine.phase !== 'pending' || atMs < fromMs) return
  if ((triggers.by === 'at' ? atMs : receivedAtMs) < triggers.fromMs) return
  machine.phase = 'raised'
  machine.triggeredAtMs = atMs
  machine.triggerCenti = evidence.centi
  machine.limitCenti = evidence.limitCenti
  machine.version = version
  machine.severity = severity
}

/**
 * A good reading: ends what is pending. Returns when a raised alert ended: at the first of two good readings with no
 * unknown time between; else null. The caller takes the episode and lets the machine `becomeIdle`.
 */
export function goGood(machine: Machine, { input, isGap }: Moment): number | null {
  const isPaired = machine.good > 0 && !isGap
  machine.good = isPaired ? 2 : 1
  if (machine.phase === 'idle') return null
  if (machine.phase === 'pending') {
    becomeIdle(machine)
    return null
  }
  machine.isOut = false
  if (isPaired) return machine.goodAtMs
  machine.goodAtMs = input.atMs
  return null
}

/** The same where one good reading is enough. */
export function endAtOnce(machine: Machine, atMs: number): number | null {
  machine.good = 2
  if (machine.phase === 'raised') return atMs
  if (machine.phase === 'pending') becomeIdle(machine)
  return null
}

/** Keeps the worst value: the highest where `sign` is 1, the lowest where it is -1. */
export function notePeak(machine: Machine, centi: number, sign: 1 | -1): void {
  if (machine.peakCenti === null || sign * (centi - machine.peakCenti) > 0) machine.peakCenti = centi
}

/** Whether the newest reading is inside; where no rule is, nothing is outside. */
export function isInside(machine: Machine | null): boolean {
  return machine === null || machine.phase === 'idle' || machine.good > 0
}
