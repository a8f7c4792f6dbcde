import type { AlertChange } from '../core/reconcile.ts'
import type { AlertRow } from '../core/take-over.ts'
import type { AlertFacts } from '../core/types.ts'

/** A row of `alerts` with what became of it; a withdrawn one is kept, as in the database. */
export interface KeptRow extends AlertRow {
  withdrawn: boolean
}

/** An open row that nobody was paged for, unless it says otherwise. */
export function rowOf(facts: AlertFacts, other: Partial<KeptRow> = {}): KeptRow {
  return {
    id: 1,
    facts,
    resolvedAtMs: null,
    resolvedBy: null,
    unproven: false,
    retrospective: false,
    wasPaged: false,
    withdrawn: false,
    ...other,
  }
}

/** What the database does with changes, in their order: refuses a second open row of a device or unit. */
export function applyChanges(
  rows: readonly KeptRow[],
  changes: readonly AlertChange[],
  nowMs: number,
): KeptRow[] {
  return changes.reduce(
    (before, change) => {
      const after = applyChange(before, change, nowMs)
      const open = after.filter(({ resolvedAtMs }) => resolvedAtMs === null)
      const subjects = new Set(open.map(({ facts }) => `${facts.unitId} ${facts.deviceId} ${facts.hubId}`))
      if (subjects.size < open.length) throw new Error(`two open rows after ${JSON.stringify(change)}`)
      return after
    },
    [...rows],
  )
}

export function liveRows(rows: readonly KeptRow[]): KeptRow[] {
  return rows.filter(({ withdrawn }) => !withdrawn)
}

function applyChange(rows: readonly KeptRow[], change: AlertChange, nowMs: number): KeptRow[] {
  if (change.kind === 'insert') {
    const { facts, retrospective } = change
    const id = 1 + Math.max(0, ...rows.map((row) => row.id))
    return [...rows, { ...rowOf(facts, { id, retrospective }), ...(retrospective ? byData(nowMs) : {}) }]
  }
  if (!rows.some(({ id }) => id === change.id)) throw new Error(`no row for ${JSON.stringify(change)}`)
  return rows.map((row) => (row.id === change.id ? changed(row, change, nowMs) : row))
}

function changed(row: KeptRow, change: Exclude<AlertChange, { kind: 'insert' }>, nowMs: number): KeptRow {
  switch (change.kind) {
    case 'grow':
    case 'amend':
      return { ...row, facts: change.facts, unproven: false }
    case 'resolve':
      return {
        ...row,
        ...byData(nowMs),
        facts: change.facts,
        unproven: false,
        retrospective: change.retrospective,
      }
    case 'reopen':
      return {
        ...row,
        facts: change.facts,
        unproven: false,
        retrospective: false,
        resolvedAtMs: null,
        resolvedBy: null,
      }
    case 'keep_unproven':
      return { ...row, unproven: true }
    case 'withdraw':
      return {
        ...row,
        resolvedAtMs: row.resolvedAtMs ?? nowMs,
        resolvedBy: row.resolvedBy ?? 'data',
        withdrawn: true,
      }
  }
}

function byData(nowMs: number): Pick<AlertRow, 'resolvedAtMs' | 'resolvedBy'> {
  return { resolvedAtMs: nowMs, resolvedBy: 'data' }
}
