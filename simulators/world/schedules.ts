/**
 * What happens to a unit and its sensors, as intervals that follow from seed and parameters alone. Asked twice, each
 * function gives the same series again: so the physics and a door sensor see the same openings, each at its own pace.
 */
import { Random } from '../random.ts'
import type { FaultRates } from '../types.ts'
import { breakdowns, type NextInterval, never, periodic, scaled, union, visits } from './intervals.ts'
import { hourOfDay, type TimeFrame } from './time-frame.ts'
import type { UnitParameters } from './unit-parameters.ts'

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

const DOOR_SECONDS_MIN = 2
/** Nobody lets the door stand open for longer than this many times the usual; that is a fault of its own. */
const DOOR_SECONDS_TIMES_MAX = 4
/** Putting goods in takes this many times as long as a usual opening. */
const LOAD_TIMES = { min: 2, max: 5 }

interface Repair {
  minMs: number
  /** Beyond the minimum. */
  meanMs: number
  maxMs: number
}

/** Short enough that a demonstration of minutes shows faults that begin and end. */
const REPAIRS = {
  sensor_death: { minMs: MINUTE_MS, meanMs: 3 * MINUTE_MS, maxMs: 15 * MINUTE_MS },
  compressor_failure: { minMs: 3 * MINUTE_MS, meanMs: 4 * MINUTE_MS, maxMs: 20 * MINUTE_MS },
  door_left_open: { minMs: 4 * MINUTE_MS, meanMs: 3 * MINUTE_MS, maxMs: 15 * MINUTE_MS },
} as const satisfies Partial<Record<keyof FaultRates, Repair>>

export interface ScheduleOptions {
  seed: number
  /** Unit id or DevEUI: what the schedule is of. */
  of: string
  rates: FaultRates
  frame: TimeFrame
}

/** When the fault is there, in ms of the clock since the start; its rate counts hours of the clock. */
export function faultSchedule(
  name: keyof typeof REPAIRS,
  { seed, of, rates }: ScheduleOptions,
): NextInterval {
  const { minMs, meanMs, maxMs } = REPAIRS[name]
  return breakdowns({
    random: new Random(seed, name, of),
    meanGap: HOUR_MS / rates[name],
    drawDuration: (random) => Math.min(minMs + random.exponential(meanMs), maxMs),
  })
}

/** As `faultSchedule`, in seconds of physics. */
export function unitFaultSchedule(
  name: 'compressor_failure' | 'door_left_open',
  options: ScheduleOptions,
): NextInterval {
  return scaled(faultSchedule(name, options), options.frame.speed / 1_000)
}

/** When the door is open, in seconds of physics: somebody takes something out, goods come in, or it was left open. */
export function doorSchedule(parameters: UnitParameters, options: ScheduleOptions): NextInterval {
  const { seed, of, frame } = options
  const { doorSeconds, doorsPerHour } = parameters
  const longest = doorSeconds * DOOR_SECONDS_TIMES_MAX
  const openings = visits({
    random: new Random(seed, 'door', of),
    meanGapBusiest: HOUR_SECONDS / doorsPerHour,
    activity: (second) => openingActivity(hourOfDay(frame, second)),
    drawDuration: (random) => clamp(random.exponential(doorSeconds), DOOR_SECONDS_MIN, longest),
  })
  const goods = loadSchedule(parameters, options)
  return union(union(openings, goods), unitFaultSchedule('door_left_open', options))
}

/** When warm goods are put in, in seconds of physics. */
export function loadSchedule(parameters: UnitParameters, options: ScheduleOptions): NextInterval {
  const { loadsPerDay, doorSeconds } = parameters
  const { seed, of, frame } = options
  return visits({
    random: new Random(seed, 'load', of),
    meanGapBusiest: (LOAD_HOURS * HOUR_SECONDS) / loadsPerDay,
    activity: (second) => loadActivity(hourOfDay(frame, second)),
    drawDuration: (random) => doorSeconds * random.uniform(LOAD_TIMES.min, LOAD_TIMES.max),
  })
}

/** When the unit defrosts, in seconds of physics. */
export function defrostSchedule(parameters: UnitParameters, { seed, of }: ScheduleOptions): NextInterval {
  const { defrostsPerDay, defrostSeconds } = parameters
  if (defrostsPerDay === 0) return never
  const period = DAY_SECONDS / defrostsPerDay
  const offset = new Random(seed, 'defrost', of).uniform(0, period)
  return periodic({ offset, period, length: defrostSeconds })
}

/** Never 0: `visits` would look for a visit for ever. */
function openingActivity(hour: number): number {
  return hour >= 7 && hour < 21 ? 1 : 0.08
}

/** Goods come in the morning, some in the afternoon, hardly any at night. */
function loadActivity(hour: number): number {
  if (hour >= 6 && hour < 12) return 1
  return hour >= 12 && hour < 20 ? 0.3 : 0.02
}

/** Hours of the busiest rate that `loadActivity` makes in a day. */
const LOAD_HOURS = 6 + 8 * 0.3 + 10 * 0.02

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max)
