import type { ClientBase } from 'pg'
import type { AuditEvent } from '../db/audit/append.ts'
import {
  type FactsUpdate,
  insertAlerts,
  markUnproven,
  updateAlerts,
  withdrawAlerts,
} from '../db/evaluation/write-alerts.ts'
import { together } from '../db/together.ts'
import type { AlertChange } from './core/reconcile.ts'
import type { AlertRow } from './core/take-over.ts'
import type { AlertFacts } from './core/types.ts'

/** A change of an alert, with whose it is and the row that it changes. */
export interface OwnedChange {
  organizationId: number
  change: AlertChange
  before: AlertRow | undefined
}

/** What has become of an alert. */
export interface WrittenChange extends OwnedChange {
  alertId: number
}

/** Writes changes of rows: first what closes them, then what opens them, because there is one open alert at a time. */
export async function writeAlertChanges(
  client: ClientBase,
  changes: readonly OwnedChange[],
  nowMs: number,
): Promise<WrittenChange[]> {
  const idsOf = (kind: 'withdraw' | 'keep_unproven') =>
    changes.flatMap(({ change }) => (change.kind === kind ? [change.id] : []))
  const updates = changes.flatMap(({ change, before }) => toUpdate(change, before) ?? [])
  const inserts = changes.flatMap(({ organizationId, change }) =>
    change.kind === 'insert'
      ? [{ organizationId, facts: change.facts, retrospective: change.retrospective }]
      : [],
  )
  const closing = updates.filter(({ status }) => status !== 'reopen')
  const opening = updates.filter(({ status }) => status === 'reopen')
  const [, , , , inserted] = await together(client, [
    () => withdrawAlerts(client, idsOf('withdraw'), nowMs),
    () => markUnproven(client, idsOf('keep_unproven'), nowMs),
    () => updateAlerts(client, closing, nowMs),
    () => updateAlerts(client, opening, nowMs),
    () => insertAlerts(client, inserts, nowMs),
  ])
  return changes.map((owned) => {
    const { change } = owned
    return { ...owned, alertId: change.kind === 'insert' ? (inserted.shift() ?? 0) : change.id }
  })
}

function toUpdate(change: AlertChange, before: AlertRow | undefined): FactsUpdate | undefined {
  switch (change.kind) {
    case 'grow':
    case 'amend':
      return {
        id: change.id,
        facts: change.facts,
        status: 'keep',
        retrospective: before?.retrospective ?? false,
      }
    case 'resolve':
      return { id: change.id, facts: change.facts, status: 'resolve', retrospective: change.retrospective }
    case 'reopen':
      return { id: change.id, facts: change.facts, status: 'reopen', retrospective: false }
    default:
      return undefined
  }
}

const TRANSITIONS = {
  insert: 'raised',
  amend: 'amended',
  keep_unproven: 'amended',
  resolve: 'resolved',
  reopen: 'reopened',
  withdraw: 'withdrawn',
  grow: undefined,
} as const

/** What operators are told of it; undefined: nothing, its excursion only goes on. */
export function transitionOf({ change }: OwnedChange) {
  return TRANSITIONS[change.kind]
}

/** Its entry in the audit log; undefined where an excursion only goes on. */
export function auditEventOf(written: WrittenChange, nowMs: number): AuditEvent | undefined {
  const { change, before, alertId } = written
  const transition = transitionOf(written)
  if (transition === undefined) return undefined
  const detail = change.kind === 'keep_unproven' ? { unproven: true } : {}
  return {
    actor: 'evaluator',
    action: `alert_${transition}`,
    entityType: 'alert',
    entityId: alertId,
    oldValues: before ? factValues(before.facts) : null,
    newValues: 'facts' in change ? factValues(change.facts) : detail,
    occurredAt: new Date(nowMs),
  }
}

/** In the names of the columns; times as in a message. */
function factValues(facts: AlertFacts): Record<string, unknown> {
  return {
    rule_version: facts.ruleVersion,
    severity: facts.severity,
    started_at: isoTime(facts.startedAtMs),
    triggered_at: isoTime(facts.triggeredAtMs),
    ended_at: facts.endedAtMs === null ? null : isoTime(facts.endedAtMs),
    resolution: facts.resolution,
    peak_centi: facts.peakCenti,
    confirmed_ms: facts.confirmedMs,
    unknown_ms: facts.unknownMs,
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
