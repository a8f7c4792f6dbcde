import { Random } from '../../simulators/random.ts'
import { FAULT_KINDS, FAULT_NAMES, type FaultKind } from './fault-kinds.ts'

/** One fault, with everything about it that is left to chance. */
export interface PlannedFault {
  kind: FaultKind
  /** After the step's pause. */
  delayMs: number
  lastsMs: number
  /** Where bytes are counted: how many still pass. */
  bytes: number
  /** From 0 to 1: which one of several. */
  share: number
}

export interface Step {
  /** The place in the schedule, from 0. */
  position: number
  /** Otherwise the service may still be starting. */
  waitsForService: boolean
  pauseMs: number
  faults: PlannedFault[]
}

const HASTY_SHARE = 0.15
const DOUBLE_SHARE = 0.2
const DOUBLE_DELAY_MS_MAX = 1_500
const BYTES_MAX = 6_000

/**
 * A step of a seeded schedule, the same for the same seed and position whatever came before. `pauseMs` is drawn from 0 to
 * twice `secondsBetween`.
 */
export function drawStep(options: { seed: number; position: number; secondsBetween: number }): Step {
  const { seed, position, secondsBetween } = options
  const random = new Random(seed, 'step', String(position))
  const waitsForService = !random.chance(HASTY_SHARE)
  const pauseMs = random.uniform(0, 2_000 * secondsBetween)
  const first = drawKind(random, FAULT_NAMES)
  const faults = [plan(random, first, 0)]
  if (random.chance(DOUBLE_SHARE)) {
    const others = FAULT_NAMES.filter((name) => FAULT_KINDS[name].target !== FAULT_KINDS[first].target)
    faults.push(plan(random, drawKind(random, others), random.uniform(0, DOUBLE_DELAY_MS_MAX)))
  }
  return { position, waitsForService, pauseMs, faults }
}

function plan(random: Random, kind: FaultKind, delayMs: number): PlannedFault {
  return {
    kind,
    delayMs,
    lastsMs: random.uniform(0, FAULT_KINDS[kind].secondsMax * 1_000),
    bytes: random.integer(1, BYTES_MAX),
    share: random.next(),
  }
}

function drawKind(random: Random, kinds: readonly FaultKind[]): FaultKind {
  const total = kinds.reduce((sum, kind) => sum + FAULT_KINDS[kind].weight, 0)
  let left = random.uniform(0, total)
  for (const kind of kinds) {
    left -= FAULT_KINDS[kind].weight
    if (left < 0) return kind
  }
  throw new Error('A schedule needs at least one kind of fault.')
}

/** For people: "kill postgres 0.4 s + cut hubs". */
export function formatFaults({ faults }: Step): string {
  return faults
    .map(({ kind, lastsMs }) => (lastsMs > 0 ? `${kind} ${(lastsMs / 1_000).toFixed(1)} s` : kind))
    .join(' + ')
}
