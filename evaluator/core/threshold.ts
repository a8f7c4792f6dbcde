import {
  elapse,
  endAtOnce,
  goBeyond,
  goGood,
  keep,
  type Machine,
  type Moment,
  notePeak,
  trigger,
} from './machine.ts'
import type { Condition, RuleVersion } from './types.ts'

type Limit = Extract<Condition, { type: 'temperature_above' | 'temperature_below' }>
type Battery = Extract<Condition, { type: 'battery_below' }>

/** How long an excursion must last where its rule does not say. */
const CONFIRM_MS = 600_000
/** The same while a door of the unit is open. */
const CONFIRM_DOOR_OPEN_MS = 1_200_000
/** Points above its limit at which a battery is good again: somebody changed it. */
const BATTERY_RECOVERED_POINTS = 5

/** Temperature above or below a limit for a while. Returns when a raised alert ended, else null. */
export function judgeLimit(
  machine: Machine,
  condition: Limit,
  version: RuleVersion,
  moment: Moment,
): number | null {
  const { centi, input } = moment
  const { limitCenti } = condition
  elapse(machine, moment)
  const sign = condition.type === 'temperature_above' ? 1 : -1
  const excess = sign * (centi - limitCenti)
  if (excess > 0 || (condition.inclusive && excess === 0)) {
    goBeyond(machine, input.atMs)
    notePeak(machine, centi, sign)
    if (isConfirmed(machine, condition.forMs, moment)) {
      trigger(machine, version, input, { centi, limitCenti })
    }
    return null
  }
  if (excess <= -condition.hysteresisCenti) return goGood(machine, moment)
  keep(machine)
  return null
}

function isConfirmed({ confirmedMs }: Machine, forMs: number | null, { input, doors }: Moment): boolean {
  if (forMs !== null) return confirmedMs >= forMs
  if (confirmedMs < CONFIRM_MS) return false
  return confirmedMs >= CONFIRM_DOOR_OPEN_MS || !doors.isDoorOpenAt(input.atMs)
}

/** A battery: raised by one reading below, ended by one that is well above. Returns when a raised alert ended, else null. */
export function judgeBattery(
  machine: Machine,
  condition: Battery,
  version: RuleVersion,
  moment: Moment,
): number | null {
  const { centi, input } = moment
  elapse(machine, moment)
  const limitCenti = percentCenti(condition.limit)
  if (centi < limitCenti) {
    goBeyond(machine, input.atMs)
    notePeak(machine, centi, -1)
    trigger(machine, version, input, { centi, limitCenti })
    return null
  }
  if (centi < limitCenti + percentCenti(BATTERY_RECOVERED_POINTS)) {
    keep(machine)
    return null
  }
  return endAtOnce(machine, input.atMs)
}

/** Percent x 100. */
export function percentCenti(percent: number): number {
  return Math.round(percent * 100)
}
