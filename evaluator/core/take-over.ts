import type { AlertFacts } from './types.ts'

/** A row of `alerts` that is not withdrawn. */
export interface AlertRow {
  id: number
  /** What it says now. */
  facts: AlertFacts
  /** Our clock; null = it is open. */
  resolvedAtMs: number | null
  resolvedBy: 'data' | 'person' | null
  unproven: boolean
  retrospective: boolean
  /** Whether anybody has been paged. */
  wasPaged: boolean
}

/**
 * Which row each of the facts goes on in, if any. The latest-ending one takes the open row; of the others, each takes the row
 * with its own start, else the one that it overlaps most.
 */
export function takeOver(rows: readonly AlertRow[], facts: readonly AlertFacts[]): Map<AlertFacts, AlertRow> {
  const taken = new Map<AlertFacts, AlertRow>()
  for (const { fact, row } of pairs(rows, facts)) {
    if (taken.has(fact) || isTaken(taken, row)) continue
    taken.set(fact, row)
  }
  return taken
}

export function isOpen(row: AlertRow): boolean {
  return row.resolvedAtMs === null
}

interface Pair {
  fact: AlertFacts
  row: AlertRow
  overlapMs: number
}

/** All that fit, the best ones first. */
function pairs(rows: readonly AlertRow[], facts: readonly AlertFacts[]): Pair[] {
  const found = rows.flatMap((row) =>
    facts
      .filter((fact) => isMatch(row, fact))
      .map((fact) => ({ fact, row, overlapMs: overlapOf(row, fact) })),
  )
  return found.sort(
    (a, b) =>
      Number(isOpen(b.row)) - Number(isOpen(a.row)) ||
      (isOpen(a.row) ? difference(endOf(b.fact), endOf(a.fact)) : 0) ||
      Number(isSameStart(b)) - Number(isSameStart(a)) ||
      difference(b.overlapMs, a.overlapMs) ||
      a.row.id - b.row.id ||
      a.fact.startedAtMs - b.fact.startedAtMs,
  )
}

/** Silence is never judged again: a silence is known by the reading that it began with, and may overlap the one before. */
function isMatch(row: AlertRow, fact: AlertFacts): boolean {
  if (!isSameSubject(row.facts, fact)) return false
  const isSame = row.facts.startedAtMs === fact.startedAtMs
  return fact.conditionType === 'no_data' ? isSame : isSame || overlapOf(row, fact) > 0
}

function isSameSubject(a: AlertFacts, b: AlertFacts): boolean {
  return a.unitId === b.unitId && a.deviceId === b.deviceId && a.hubId === b.hubId
}

function overlapOf(row: AlertRow, fact: AlertFacts): number {
  return Math.min(rowEnd(row), endOf(fact)) - Math.max(row.facts.startedAtMs, fact.startedAtMs)
}

/** What a person has resolved reaches no further: an excursion that begins later is not the one that the person saw. */
function rowEnd(row: AlertRow): number {
  return row.facts.endedAtMs ?? row.resolvedAtMs ?? Infinity
}

function endOf({ endedAtMs }: AlertFacts): number {
  return endedAtMs ?? Infinity
}

function isSameStart({ fact, row }: Pair): boolean {
  return fact.startedAtMs === row.facts.startedAtMs
}

function isTaken(taken: ReadonlyMap<AlertFacts, AlertRow>, row: AlertRow): boolean {
  return [...taken.values()].includes(row)
}

/** Infinite ones are equal. */
function difference(a: number, b: number): number {
  return a === b ? 0 : a - b
}
