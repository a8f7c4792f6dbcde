import { elapse, endAtOnce, goBeyond, goGood, type Machine, notePeak, raise } from './machine.ts'
import type { Judged } from './threshold.ts'
import type { Condition } from './types.ts'

type Fault = Extract<Condition, { type: 'sensor_fault' }>
type Stuck = Extract<Fault, { kind: 'stuck' }>
type Jump = Extract<Fault, { kind: 'jump' }>
type Reported = Extract<Fault, { kind: 'fault' }>

/** Two temperatures of a device, one after the other; null = it is the first one. */
export interface Step {
  centi: number
  previousCenti: number | null
}

/**
 * The same temperature again and again: from the first of them, until a different one. Known time alone makes it last, as
 * with every excursion.
 */
export function judgeStuck(machine: Machine, condition: Stuck, step: Step, judged: Judged): number | null {
  const { moment, version } = judged
  if (step.previousCenti === null) return null
  if (step.centi !== step.previousCenti) {
    elapse(machine, moment)
    return endAtOnce(machine, moment.atMs)
  }
  // The run is known as one from its second reading on.
  if (machine.phase === 'idle') {
    goBeyond(machine, moment.atMs - moment.elapsedMs)
    machine.count = 1
  }
  elapse(machine, moment)
  // Dropped by a long gap: the next run begins here.
  if (machine.phase === 'idle') return null
  machine.count += 1
  notePeak(machine, step.centi, 1)
  const isMet = machine.confirmedMs >= condition.forMs && machine.count >= condition.minReadings
  if (machine.phase === 'pending' && judged.mayTrigger && isMet) {
    raise(machine, version, { atMs: moment.atMs, centi: step.centi, limitCenti: null })
  }
  return null
}

/**
 * A step over `maxStepCenti` between two readings without a gap between: begins, and triggers, at the second of them. A
 * reading after a gap is no step: it neither raises nor counts as a normal one. The sizes of the steps are the evidence.
 */
export function judgeJump(machine: Machine, condition: Jump, step: Step, judged: Judged): number | null {
  const { moment, version } = judged
  elapse(machine, moment)
  if (step.previousCenti === null || moment.isGap) {
    machine.good = 0
    return null
  }
  const centi = Math.abs(step.centi - step.previousCenti)
  if (centi <= condition.maxStepCenti) return goGood(machine, moment)
  goBeyond(machine, moment.atMs)
  notePeak(machine, centi, 1)
  if (machine.phase === 'pending' && judged.mayTrigger) {
    raise(machine, version, { atMs: moment.atMs, centi, limitCenti: condition.maxStepCenti })
  }
  return null
}

/** The sensor says itself, for a while, that something is wrong. Ends as temperatures do: by two readings without. */
export function judgeReported(
  machine: Machine,
  condition: Reported,
  isFault: boolean,
  judged: Judged,
): number | null {
  const { moment, version } = judged
  elapse(machine, moment)
  if (!isFault) return goGood(machine, moment)
  goBeyond(machine, moment.atMs)
  if (machine.phase === 'pending' && judged.mayTrigger && machine.confirmedMs >= condition.forMs) {
    raise(machine, version, { atMs: moment.atMs, centi: null, limitCenti: null })
  }
  return null
}
