import { type AlertRow, isOpen, takeOver } from './take-over.ts'
import type { AlertFacts } from './types.ts'

/** What has to be done to the rows of `alerts`. Where a change has facts, the row says them from then on, and is proven. */
export type AlertChange =
  /** `retrospective`: over when it was first detected; it begins resolved. */
  | { kind: 'insert'; facts: AlertFacts; retrospective: boolean }
  /** The excursion goes on: its evidence grows. Not audited. */
  | { kind: 'grow'; id: number; facts: AlertFacts }
  /** Other facts than were told: audited, pages nobody. */
  | { kind: 'amend'; id: number; facts: AlertFacts }
  /** `recovery`: whether those who were paged are told that it recovered. */
  | { kind: 'resolve'; id: number; facts: AlertFacts; retrospective: boolean; recovery: boolean }
  /** No longer retrospective. `notice`: whether those who were paged are told, once. */
  | { kind: 'reopen'; id: number; facts: AlertFacts; notice: boolean }
  /** Late data took its proof, but its device is still out. */
  | { kind: 'keep_unproven'; id: number }
  /** `correction`: whether those who were paged are told, once. */
  | { kind: 'withdraw'; id: number; correction: boolean }

/** First what closes rows, then what opens them: there is one open alert at a time. */
const ORDER: readonly AlertChange['kind'][] = [
  'withdraw',
  'keep_unproven',
  'resolve',
  'amend',
  'grow',
  'reopen',
  'insert',
]

/**
 * What makes the rows of one rule in one unit (or of a hub) say the facts, by changes that keep their journal: detection, pages,
 * acknowledgements. Rows: all that are not withdrawn and overlap the time for which facts are given; facts: all of that time.
 * `isOut`: whether a device of the alert is still out, by its newest reading.
 */
export function reconcile(
  rows: readonly AlertRow[],
  facts: readonly AlertFacts[],
  context: { isOut: (row: AlertRow) => boolean },
): AlertChange[] {
  const taken = takeOver(rows, facts)
  const kept = new Set([...taken.values()].map(({ id }) => id))
  const changes = [
    ...facts.flatMap((fact) => factChange(taken.get(fact), fact) ?? []),
    ...rows.filter(({ id }) => !kept.has(id)).flatMap((row) => unsupported(row, context.isOut) ?? []),
  ]
  return changes.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
}

function factChange(row: AlertRow | undefined, facts: AlertFacts): AlertChange | undefined {
  if (row === undefined) return { kind: 'insert', facts, retrospective: facts.endedAtMs !== null }
  const { id, wasPaged } = row
  if (isOpen(row) && facts.endedAtMs !== null) {
    const recovery = wasPaged && facts.resolution === 'recovered'
    // If nobody was paged, data ended it first.
    return { kind: 'resolve', id, facts, retrospective: !wasPaged, recovery }
  }
  if (row.resolvedBy === 'data' && facts.endedAtMs === null)
    return { kind: 'reopen', id, facts, notice: wasPaged }
  // What a person has resolved stays so; only what happened is told as it was.
  const told = row.resolvedBy === 'person' ? { ...row.facts, resolution: facts.resolution } : row.facts
  if (!row.unproven && isSameFacts(told, facts)) return undefined
  return { kind: isOpen(row) && isGrowth(row, facts) ? 'grow' : 'amend', id, facts }
}

/** Only an open row can still be out: what has ended is over. */
function unsupported(row: AlertRow, isOut: (row: AlertRow) => boolean): AlertChange | undefined {
  if (row.facts.conditionType === 'no_data' && !isOpen(row)) return undefined
  if (!isOpen(row) || !isOut(row)) return { kind: 'withdraw', id: row.id, correction: row.wasPaged }
  return row.unproven ? undefined : { kind: 'keep_unproven', id: row.id }
}

function isGrowth(row: AlertRow, facts: AlertFacts): boolean {
  const { confirmedMs, unknownMs, peakCenti } = facts
  return (
    !row.unproven &&
    confirmedMs >= row.facts.confirmedMs &&
    unknownMs >= row.facts.unknownMs &&
    isSameFacts({ ...row.facts, confirmedMs, unknownMs, peakCenti }, facts)
  )
}

/** Rows keep durations in whole seconds, rounded down. */
function isSameFacts(a: AlertFacts, b: AlertFacts): boolean {
  const keys = Object.keys(b) as (keyof AlertFacts)[]
  return keys.every((key) =>
    key === 'confirmedMs' || key === 'unknownMs'
      ? Math.floor(a[key] / 1000) === Math.floor(b[key] / 1000)
      : a[key] === b[key],
  )
}
