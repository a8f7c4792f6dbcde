import {
  elapse,
  endAtOnce,
  goBeyond,
  goGood,
  type Machine,
  type Moment,
  notePeak,
  trigger,
} from './machine.ts'
import type { Condition, RuleVersion } from './types.ts'

type Fault = Extract<Condition, { type: 'sensor_fault' }>
type Stuck = Extract<Fault, { kind: 'stuck' }>
type Jump = Extract<Fault, { kind: 'jump' }>
type Reported = Extract<Fault, { kind: 'fault' }>

/**
 * The same temperature again and again: from the first of them, until a different one. Known time alone makes it last, as
 * with every excursion. Returns when a raised alert ended, else null; so do the others.
 */
export function judgeStuck(
  machine: Machine,
  condition: Stuck,
  version: RuleVersion,
  moment: Moment,
): number | null {
  const { centi, previousCenti, input, elapsedMs } = moment
  if (previousCenti === null) return null
  if (centi !== previousCenti) {
    elapse(machine, moment)
    return endAtOnce(machine, input.atMs)
  }
  // The run is known as one from its second reading on.
  if (machine.phase === 'idle') {
    goBeyond(machine, input.atMs - elapsedMs)
    machine.count = 1
  }
  elapse(machine, moment)
  // Dropped by a long gap: the next run begins here.
  if (machine.phase === 'idle') return null
  machine.count += 1
  notePeak(machine, centi, 1)
  if (machine.confirmedMs >= condition.forMs && machine.count >= condition.minReadings) {
    trigger(machine, version, input, { centi, limitCenti: null })
  }
  return null
}

/**
 * A step over `maxStepCenti` between two readings without a gap between: begins, and triggers, at the second of them. A
 * reading after a gap is no step: it neither raises nor counts as a normal one. The sizes of the steps are the evidence.
 */
export function judgeJump(
  machine: Machine,
  condition: Jump,
  version: RuleVersion,
  moment: Moment,
): number | null {
  const { centi, previousCenti, input, isGap } = moment
  elapse(machine, moment)
  if (previousCenti === null || isGap) {
    machine.good = 0
    return null
  }
  const stepCenti = Math.abs(centi - previousCenti)
  if (stepCenti <= condition.maxStepCenti) return goGood(machine, moment)
  goBeyond(machine, input.atMs)
  notePeak(machine, stepCenti, 1)
  trigger(machine, version, input, { centi: stepCenti, limitCenti: condition.maxStepCenti })
  return null
}

/** The sensor says itself, for a while, that something is wrong. Ends as temperatures do: by two readings without. */
export function judgeReported(
  machine: Machine,
  condition: Reported,
  version: RuleVersion,
  moment: Moment,
): number | null {
  const { input } = moment
  elapse(machine, moment)
  if (input.fault === null) return goGood(machine, moment)
  goBeyond(machine, input.atMs)
  if (machine.confirmedMs >= condition.forMs) {
    trigger(machine, version, input, { centi: null, limitCenti: null })
  }
  return null
}
