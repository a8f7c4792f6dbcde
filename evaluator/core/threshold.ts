import {
  elapse,
  endAtOnce,
  goBeyond,
  goGood,
  keep,
  type Machine,
  type Moment,
  notePeak,
  raise,
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

/** What a rule judges a reading by. */
export interface Judged {
  moment: Moment
  version: RuleVersion
  /** Whether the version is in force there, and may raise an alert. */
  mayTrigger: boolean
  isDoorOpenAt(atMs: number): boolean
}

/** Temperature above or below a limit for a while. Returns when a raised alert ended, else null. */
export function judgeLimit(machine: Machine, condition: Limit, centi: number, judged: Judged): number | null {
  const { moment, version } = judged
  elapse(machine, moment)
  const sign = condition.type === 'temperature_above' ? 1 : -1
  const excess = sign * (centi - condition.limitCenti)
  if (excess > 0 || (condition.inclusive && excess === 0)) {
    goBeyond(machine, moment.atMs)
    notePeak(machine, centi, sign)
    if (machine.phase === 'pending' && judged.mayTrigger && isConfirmed(machine, condition.forMs, judged)) {
      raise(machine, version, { atMs: moment.atMs, centi, limitCenti: condition.limitCenti })
    }
    return null
  }
  if (excess <= -condition.hysteresisCenti) return goGood(machine, moment)
  keep(machine)
  return null
}

function isConfirmed(
  { confirmedMs }: Machine,
  forMs: number | null,
  { moment, isDoorOpenAt }: Judged,
): boolean {
  if (forMs !== null) return confirmedMs >= forMs
  if (confirmedMs < CONFIRM_MS) return false
  return confirmedMs >= CONFIRM_DOOR_OPEN_MS || !isDoorOpenAt(moment.atMs)
}

/** A battery, in percent: raised by one reading, ended by one that is well above. In percent x 100 as evidence. */
export function judgeBattery(
  machine: Machine,
  condition: Battery,
  percent: number,
  judged: Judged,
): number | null {
  const { moment, version } = judged
  elapse(machine, moment)
  const centi = Math.round(percent * 100)
  const limitCenti = Math.round(condition.limit * 100)
  if (centi < limitCenti) {
    goBeyond(machine, moment.atMs)
    notePeak(machine, centi, -1)
    if (machine.phase === 'pending' && judged.mayTrigger) {
      raise(machine, version, { atMs: moment.atMs, centi, limitCenti })
    }
    return null
  }
  if (centi < limitCenti + BATTERY_RECOVERED_POINTS * 100) {
    keep(machine)
    return null
  }
  return endAtOnce(machine, moment.atMs)
}
