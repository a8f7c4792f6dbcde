import { Random } from '../../simulators/random.ts'
import type { AlertFacts, Input, UnitConfig } from '../core/types.ts'
import { IncrementalUnit } from './incremental-unit.ts'
import { randomStream } from './random-stream.ts'
import { randomUnit } from './random-unit.ts'
import { referenceAlerts } from './reference.ts'

export interface Stream {
  unit: UnitConfig
  /** In the order in which they arrive. */
  inputs: readonly Input[]
}

export function streamOf(seed: string): Stream {
  const unit = randomUnit(new Random(seed, 'unit'))
  return { unit, inputs: randomStream(new Random(seed, 'inputs'), unit) }
}

export interface Difference {
  /** How many inputs had arrived. */
  afterInputs: number
  found: AlertFacts[]
  expected: AlertFacts[]
}

/** Evaluates a stream input by input and compares with the reference after some of them, and after the last. */
export function firstDifference(
  { unit, inputs }: Stream,
  isCompared: (index: number) => boolean,
): Difference | null {
  const evaluated = new IncrementalUnit(unit)
  for (const [index, input] of inputs.entries()) {
    evaluated.add(input)
    if (!isCompared(index) && index < inputs.length - 1) continue
    const judgedToMs = input.receivedAtMs
    const found = sorted(evaluated.facts(judgedToMs))
    const expected = sorted(referenceAlerts(evaluated.stored, evaluated.unit, judgedToMs))
    if (JSON.stringify(found) !== JSON.stringify(expected)) return { afterInputs: index + 1, found, expected }
  }
  return null
}

/** A smaller stream that differs too: fewer rules, then fewer inputs, by halves, quarters and so on. */
export function shrink(stream: Stream): Stream {
  let smallest = stream
  const tryOne = (candidate: Stream) => {
    if (firstDifference(candidate, () => false)) smallest = candidate
  }
  for (const track of stream.unit.tracks) {
    const tracks = smallest.unit.tracks.filter((other) => other !== track)
    tryOne({ ...smallest, unit: { ...smallest.unit, tracks } })
  }
  for (let size = smallest.inputs.length >> 1; size >= 1; size >>= 1) {
    for (let from = smallest.inputs.length - size; from >= 0; from -= size) {
      tryOne({ ...smallest, inputs: smallest.inputs.toSpliced(from, size) })
    }
  }
  return smallest
}

/** The same order of fields and alerts, so that both can be compared as text. */
function sorted(facts: readonly AlertFacts[]): AlertFacts[] {
  return facts
    .map((one) => Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => a.localeCompare(b))))
    .map((one) => one as unknown as AlertFacts)
    .toSorted(
      (a, b) =>
        (a.ruleId ?? 0) - (b.ruleId ?? 0) ||
        a.startedAtMs - b.startedAtMs ||
        (a.deviceId ?? 0) - (b.deviceId ?? 0),
    )
}
